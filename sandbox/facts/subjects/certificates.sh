# shellcheck shell=sh
# shellcheck disable=SC2153,SC2154,SC2094  # variables that stand in front, see ../../probe/order.sh
# The certificates that programs trust.

certificates_beside_r() {
    for probe_file in /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt \
        /var/lib/ca-certificates/ca-bundle.pem; do
        if [ -r "$probe_file" ]; then
            section certificates "$probe_file" "$(sha256sum "$probe_file" 2>/dev/null | cut -d ' ' -f 1)" \
                "$(grep -c 'BEGIN CERTIFICATE' "$probe_file")"
            added_certificates | sed 's,.*/,,' | take rows '' certificate
            have openssl || return
            section certificate-subjects
            # A file may hold several
            added_certificates | while IFS= read -r probe_path; do
                openssl crl2pkcs7 -nocrl -certfile "$probe_path" 2>/dev/null |
                    openssl pkcs7 -print_certs -noout 2>/dev/null
            done | sed -n 's/^subject= *//p' | sed 's/ = /=/g' | sort -u | take rows '' certificate_subject
            return
        fi
    done
}

added_certificates() {
    for probe_path in /usr/local/share/ca-certificates/* /usr/local/share/ca-certificates/*/* \
        /etc/pki/ca-trust/source/anchors/* /etc/pki/trust/anchors/*; do
        [ -f "$probe_path" ] && printf '%s\n' "$probe_path"
    done
}
