  # Of one that did not come from a repository: what install_github() and the like wrote down
  remote_of <- function(field) {
    type <- field("RemoteType")
    if (!nzchar(type) || type %in% c("standard", "cran", "repository", "bioc", "bioconductor")) return("")
    # A folder of a repository, or a server of one's own, is another place
    host <- field("RemoteHost")
    public <- c("", "api.github.com", "github.com", "gitlab.com", "api.bitbucket.org/2.0", "bitbucket.org")
    if (nzchar(field("RemoteSubdir")) || !host %in% public) {
      return(paste0(type, ":", paste(c(host, field("RemoteUsername"), field("RemoteRepo"), field("RemoteSubdir")), collapse = "/"),
        "@", field("RemoteSha")))
    }
    place <- if (nzchar(field("RemoteRepo"))) {
      paste0(field("RemoteUsername"), "/", field("RemoteRepo"))
    } else {
      field("RemoteUrl")
    }
    paste0(type, ":", place, if (nzchar(field("RemoteSha"))) paste0("@", field("RemoteSha")))
  }
  one_package <- function(name, library_path) {
    # As installed.packages() does: what has no DESCRIPTION with a Built field is not installed
    file <- file.path(library_path, name, "Meta", "package.rds")
    if (!file.exists(file)) return(NULL)
    meta <- tryCatch(suppressWarnings(readRDS(file)), error = function(e) NULL)
    described <- if (is.list(meta)) meta$DESCRIPTION
    if (!is.character(described)) stop("its Meta/package.rds cannot be read")
    field <- function(key) {
      value <- described[key]
      if (is.na(value)) "" else value[[1L]]
    }
    needs <- unique(c(names(meta$Depends), names(meta$Imports), names(meta$LinkingTo)))
    built <- as.character(meta$Built$R)
    whole <- length(built) == 1L && grepl("^[0-9]+([.][0-9]+)+$", built) && nzchar(field("Version"))
    if (!whole) stop("its Meta/package.rds is damaged")
    repository <- field("Repository")
    # Those of Bioconductor often say so in other fields only
    if (!nzchar(repository) && nzchar(field("biocViews"))) repository <- "Bioconductor"
    c(name, field("Version"), library_path, built, field("Priority"), repository, remote_of(field),
      paste(needs, collapse = " "))
  }
  attempt("packages", {
    say("lib_path", .libPaths())
    # One that is damaged is named; the others are there
    known <- function(name, ...) tryCatch(one_package(name, ...), error = function(e) {
      say("failed", paste("package", name), conditionMessage(e))
      NULL
    })
    for (library_path in .libPaths()) {
      rows <- do.call(rbind, lapply(list.files(library_path), known, library_path))
      if (length(rows)) {
        do.call(say, c("package", lapply(seq_len(ncol(rows)), function(i) rows[, i])))
      }
    }
  })
