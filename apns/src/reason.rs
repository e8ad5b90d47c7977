//! The reasons that the push service gives (Apple, "Handling notification responses from APNs").

use mdm_core::open_enum;

open_enum! {
    /// Why the push service refused a push.
    ///
    /// The same word may come with a GOAWAY frame. What to do about it: [`Outcome`](crate::Outcome).
    pub enum Reason {
        /// 400: the collapse id is longer than 64 bytes.
        BadCollapseId = "BadCollapseId",
        /// 400: no token of this environment, or not a token at all. Often our environment is
        /// wrong and not the token, so nothing is unenrolled for it (Q24).
        BadDeviceToken = "BadDeviceToken",
        /// 400: `apns-expiration` is not a number.
        BadExpirationDate = "BadExpirationDate",
        /// 400: `apns-id` is not a canonical lowercase UUID.
        BadMessageId = "BadMessageId",
        /// 400: `apns-priority` is none of 10, 5, 1.
        BadPriority = "BadPriority",
        /// 400: `apns-topic` is not a topic.
        BadTopic = "BadTopic",
        /// 400: the token belongs to another topic. Often our certificate is wrong (Q24).
        DeviceTokenNotForTopic = "DeviceTokenNotForTopic",
        /// 400: a header came twice.
        DuplicateHeaders = "DuplicateHeaders",
        /// 400: the connection was idle for too long.
        IdleTimeout = "IdleTimeout",
        /// 400: `apns-push-type` is missing or does not fit the topic.
        InvalidPushType = "InvalidPushType",
        /// 400: no token in the path.
        MissingDeviceToken = "MissingDeviceToken",
        /// 400: no `apns-topic`, where the certificate has more than one.
        MissingTopic = "MissingTopic",
        /// 400: no body.
        PayloadEmpty = "PayloadEmpty",
        /// 400: the certificate may not push to this topic.
        TopicDisallowed = "TopicDisallowed",
        /// 403: the certificate is not good.
        BadCertificate = "BadCertificate",
        /// 403: the certificate is for the other environment.
        BadCertificateEnvironment = "BadCertificateEnvironment",
        /// 403: the provider token is too old. MDM pushes with a certificate and no token.
        ExpiredProviderToken = "ExpiredProviderToken",
        /// 403: the action is not allowed.
        Forbidden = "Forbidden",
        /// 403: the provider token does not verify.
        InvalidProviderToken = "InvalidProviderToken",
        /// 403: neither a certificate nor a provider token was shown.
        MissingProviderToken = "MissingProviderToken",
        /// 403: the provider token's key belongs to another team or topic.
        UnrelatedKeyIdInToken = "UnrelatedKeyIdInToken",
        /// 403: the provider token's key is for the other environment.
        BadEnvironmentKeyIdInToken = "BadEnvironmentKeyIdInToken",
        /// 403: another spelling of [`Self::BadEnvironmentKeyIdInToken`] seen from the service.
        BadEnvironmentKeyInToken = "BadEnvironmentKeyInToken",
        /// 404: the path is not `/3/device/<token>`.
        BadPath = "BadPath",
        /// 405: the method is not POST.
        MethodNotAllowed = "MethodNotAllowed",
        /// 410: the token expired.
        ExpiredToken = "ExpiredToken",
        /// 410: the token is no longer active for the topic.
        Unregistered = "Unregistered",
        /// 413: the body is over 4096 bytes.
        PayloadTooLarge = "PayloadTooLarge",
        /// 429: the provider token changes too often.
        TooManyProviderTokenUpdates = "TooManyProviderTokenUpdates",
        /// 429: too many pushes in a row to one token.
        TooManyRequests = "TooManyRequests",
        /// 500: the service failed.
        InternalServerError = "InternalServerError",
        /// 503: the service is not available.
        ServiceUnavailable = "ServiceUnavailable",
        /// 503: the server is going down.
        Shutdown = "Shutdown",
    }
}
