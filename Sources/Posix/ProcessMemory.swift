import CCovey

/// What the process does so that a small board has its memory for others.
package enum ProcessMemory {
    /// One heap for all threads: what one frees, another can use. To be called before there is a second thread.
    package static func shareOneHeap() { covey_share_one_heap() }

    /// Gives back the code that only the start needed; what is still wanted comes again from the page cache.
    package static func dropCodePages() { covey_drop_code_pages() }

    /// Gives back what a burst has left empty. Takes about a millisecond for ten megabytes.
    package static func trimHeap() { covey_trim_heap() }
}
