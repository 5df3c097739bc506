#ifndef COVEY_CMOSQUITTO_SHIM_H
#define COVEY_CMOSQUITTO_SHIM_H

#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

/*
 * Keeps the CONNECT properties that a later asynchronous connect sends. The library takes them only in its blocking connect, so this
 * call is one that it refuses for its port, after it has copied the properties and before it touches the network.
 */
static inline int covey_mosquitto_keep_properties(
    struct mosquitto *client, const char *host, const mosquitto_property *properties)
{
    int result = mosquitto_connect_bind_v5(client, host, -1, 60, NULL, properties);
    return result == MOSQ_ERR_INVAL ? MOSQ_ERR_SUCCESS : result;
}

/* The smoothed round trip of a TCP connection in microseconds; 0 where the kernel does not say. */
static inline uint32_t covey_round_trip_microseconds(int socket_descriptor)
{
    struct tcp_info info;
    socklen_t length = sizeof info;
    if (getsockopt(socket_descriptor, IPPROTO_TCP, TCP_INFO, &info, &length) != 0) return 0;
    return info.tcpi_rtt;
}

static inline int covey_set_tcp_option(int socket_descriptor, int option, int value)
{
    return setsockopt(socket_descriptor, IPPROTO_TCP, option, &value, sizeof value);
}

static inline int covey_set_keepalive(int socket_descriptor, int value)
{
    return setsockopt(socket_descriptor, SOL_SOCKET, SO_KEEPALIVE, &value, sizeof value);
}

static inline void covey_close_on_exec(int descriptor)
{
    fcntl(descriptor, F_SETFD, FD_CLOEXEC);
}

/* The error that a connecting socket ended with; 0 when it is connected. */
static inline int covey_socket_error(int socket_descriptor)
{
    int error = 0;
    socklen_t length = sizeof error;
    if (getsockopt(socket_descriptor, SOL_SOCKET, SO_ERROR, &error, &length) != 0) return -1;
    return error;
}

#endif
