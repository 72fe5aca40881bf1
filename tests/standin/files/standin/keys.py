"""The keys of configuration files: a frozen copy, kept apart from the product's own list.

Of the open-source server: src/cpp/server/server-options.json and
src/cpp/session/session-options.json of rstudio/rstudio, mid-2026.
"""


def _words(text: str) -> "frozenset[str]":
    return frozenset(text.split())


MULTI = frozenset({"server-add-header", "www-allow-origin"})

RSERVER = _words(
    """
    server-working-dir server-user server-daemonize server-pid-file server-app-armor-enabled
    server-set-umask secure-cookie-key-file server-data-dir server-add-header
    www-address www-port www-root-path www-local-path www-symbol-maps-path www-use-emulated-stack
    www-thread-pool-size www-proxy-localhost www-verify-user-agent www-same-site www-frame-origin
    www-enable-origin-check www-allow-origin
    session-use-file-storage
    rsession-which-r rsession-path rldpath-path rsession-ld-library-path rsession-config-file
    rsession-proxy-max-wait-secs rsession-memory-limit-mb rsession-stack-limit-mb
    rsession-process-limit
    database-config-file db-command
    auth-none auth-validate-users auth-stay-signed-in-days auth-timeout-minutes
    auth-encrypt-password auth-login-page-html auth-rdp-login-page-html auth-required-user-group
    auth-minimum-user-id auth-pam-helper-path auth-pam-require-password-prompt
    auth-pam-requires-priv auth-sign-in-throttle-seconds auth-revocation-list-dir
    auth-cookies-force-secure
    monitor-interval-seconds
    """
)

RSESSION = _words(
    """
    docs-url
    session-connections-block-suspend session-external-pointers-block-suspend
    session-timeout-minutes session-timeout-suspend session-disconnected-timeout-minutes
    session-preflight-script session-create-public-folder session-create-profile
    session-rprofile-on-resume-default session-save-action-default session-default-working-dir
    session-default-new-project-dir session-default-console-term session-default-clicolor-force
    session-quit-child-processes-on-exit session-first-project-template-path session-port-range
    session-ephemeral-env-vars session-suspend-on-incomplete-statement session-async-rpc-enabled
    session-async-rpc-timeout-ms session-handle-offline-enabled session-handle-offline-timeout-ms
    session-project-user-data-dir session-allow-project-user-data-dir-override
    show-help-home show-user-identity default-rsconnect-server open-files
    package-output-to-package-folder restrict-directory-view directory-view-allow-list
    websocket-ping-seconds websocket-connect-timeout websocket-log-level
    websocket-handshake-timeout
    allow-vcs-executable-edit allow-r-cran-repos-edit allow-vcs allow-package-installation
    allow-shell allow-terminal-websockets allow-file-downloads allow-file-uploads
    allow-remove-public-folder allow-rpubs-publish allow-external-publish allow-publish
    allow-presentation-commands allow-full-ui allow-launcher-jobs allow-over-limit-sessions
    allow-pai abort-free-mem-percent
    r-core-source r-modules-source r-session-package-archives r-libs-user r-cran-repos
    r-cran-repos-file r-cran-repos-url r-auto-reload-source r-compatible-graphics-engine-version
    r-resources-path r-doc-dir-override r-restore-workspace r-run-rprofile
    limit-file-upload-size-mb limit-cpu-time-minutes limit-xfs-disk-quota
    external-consoleio-path external-gnudiff-path external-gnugrep-path external-sumatra-path
    external-winutils-path external-hunspell-dictionaries-path external-mathjax-path
    external-pandoc-path external-quarto-path external-copilot-path external-node-path
    external-winpty-path
    git-commit-large-file-size
    copilot-enabled copilot-proxy-url copilot-auth-provider
    copilot-proxy-kerberos-service-principal copilot-ssl-certificates-file
    copilot-proxy-strict-ssl copilot-helper
    """
)

# Accepted in rsession.conf too: for the server's own use, so a box should not set them
RSESSION_INTERNAL = _words(
    """
    run-automation run-tests run-script verify-installation version program-mode log-stderr
    standalone verify-signatures www-address www-port www-local-path terminal-port
    session-root-path session-use-secure-cookies session-same-site session-use-file-storage
    r-session-library r-shell-escape r-home-dir-override external-rpostback-path
    external-libclang-path user-identity project scope launcher-token
    """
)
