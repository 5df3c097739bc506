/// What a person orders the gateway to do: a POST. Taken on the Unix socket alone, whose file says who may; a page in a browser reaches a
/// loopback port, too.
package enum ControlOrder: Hashable, Sendable {
    /// `/v1/leave`: say good-bye to the covey once nothing is lost by it. Asked again it tells how far that is.
    case leave
    /// `/v1/forget?node=NODE`: a gateway, by its name or the start of its node id, does not come back.
    case forget(String)

    /// `/v1/key/rotate?without=NODE`, any number of them: the covey's key is changed. One that is under way goes on, without those, too.
    case rotateKey(without: [String])
    /// `/v1/key/abort`: back to the key before the change that is under way.
    case abortKey
    /// `/v1/join?address=HOST:PORT`, one or more: the covey may be found there, from now on. Asked again it tells how far that is.
    case join([String])
    /// `/v1/ring/repair`: all that the ring holds is read now, and peers bring back what of it is damaged. Asked again while that is under
    /// way it tells how far it is; after that, `repair` of `/v1/ring` does.
    case repairRing

    static let paths = ["/v1/leave", "/v1/forget", "/v1/key/rotate", "/v1/key/abort", "/v1/join", "/v1/ring/repair"]
}
