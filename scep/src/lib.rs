//! SCEP (RFC 8894) client and server for Apple MDM enrolment.
