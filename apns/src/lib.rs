//! MDM push over Apple's push service (APNs).
