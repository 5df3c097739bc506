import Glibc

/// Why nobody can be reached at a socket's path, and what to do about it.
enum SocketTrouble {
    /// Who asks, and who may.
    struct Rights: Hashable {
        /// The group that may enter; `nil` where it has no name, or nobody but the owner may.
        var group: String?
        var user: String?
        /// The user was put into the group since he logged in.
        var isMember = false
    }

    /// The sentence for an `errno` of `connect`.
    static func text(_ path: String, errno number: CInt) -> String {
        switch number {
        case EACCES, EPERM: denied(path, rights(of: path))
        case ECONNREFUSED where !isSocket(path): "no daemon answers at \(path): that is a file, and no socket"
        case ECONNREFUSED:
            "no daemon answers at \(path): one left its socket there and is gone; "
                + "sudo systemctl start covey, or covey run --config …"
        case ENOENT, ENOTDIR: "no daemon answers at \(path); is it running? covey run --config …"
        default: "no daemon answers at \(path): \(String(cString: strerror(number)))"
        }
    }

    static func denied(_ path: String, _ rights: Rights) -> String {
        guard let group = rights.group else { return "\(path): permission denied; try it with sudo" }
        if rights.isMember {
            return "\(path): permission denied: you were put into group \(group) after you logged in; log in again"
        }
        let user = rights.user ?? "$USER"
        return "\(path): permission denied: you are not in group \(group): sudo usermod -aG \(group) \(user), "
            + "then log in again"
    }

    private static func isSocket(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFSOCK
    }

    /// Of the socket, or of the first folder on the way to it that keeps us out.
    private static func rights(of path: String) -> Rights {
        var status = stat()
        var place = path
        while stat(place, &status) != 0 {
            guard let slash = place.lastIndex(of: "/"), slash != place.startIndex else { return Rights() }
            place = String(place[..<slash])
        }
        guard status.st_mode & 0o070 != 0, let entry = getgrgid(status.st_gid) else { return Rights() }
        let group = String(cString: entry.pointee.gr_name)
        guard let user = getpwuid(getuid()) else { return Rights(group: group) }
        var count: CInt = 256
        var groups = [gid_t](repeating: 0, count: Int(count))
        _ = getgrouplist(user.pointee.pw_name, user.pointee.pw_gid, &groups, &count)
        return Rights(
            group: group, user: String(cString: user.pointee.pw_name),
            isMember: groups.prefix(max(0, Int(count))).contains(status.st_gid))
    }
}
