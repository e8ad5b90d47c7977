//! Apple's device-management schema as data: versions, targets, findings.
