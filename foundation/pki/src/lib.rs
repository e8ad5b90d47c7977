//! Certificates, keys, CSRs and CMS for Apple MDM, on OpenSSL.
