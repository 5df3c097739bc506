extension Gateway {
    /// How long a device's driver is waited for before it is held to be stuck, and how soon a failed one is started again.
    package struct Patience: Sendable {
        /// A driver that is silent for longer is stuck: it is cancelled and replaced.
        package var heartbeat = Duration.seconds(30)
        /// The pause after the first failure; it grows with every further one.
        package var firstPause = Duration.milliseconds(500)

        package init() {}
    }
}
