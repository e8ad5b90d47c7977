//! Apple Automated Device Enrollment (ADE, formerly DEP): token, session, devices, profiles.
