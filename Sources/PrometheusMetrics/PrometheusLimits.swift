/// What a page of metrics may grow to, each limit with its reason.
package enum PrometheusLimits {
    /// Sample lines that one exporter keeps: some 400 KB of text a scrape, which a small board renders in milliseconds. A histogram
    /// takes a line for each bucket and two more.
    package static let lines = 4096
    /// A name is a few words.
    package static let nameBytes = 128
    /// A value names a thing: the longest of ours is a path in the tree of a device and two supervisors.
    package static let labelBytes = 256
    /// Labels of one series; more are left out.
    package static let labels = 16
}
