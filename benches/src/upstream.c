/* What the ingress and nginx stand before: a thread for each connection, one write for each answer. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void *serve(void *argument) {
    static const char answer[] = "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 5\r\n\r\nhello";
    int fd = (int)(long)argument;
    char buffer[16384];
    size_t have = 0;
    for (;;) {
        ssize_t n = read(fd, buffer + have, sizeof buffer - 1 - have);
        if (n <= 0) break;
        have += n;
        buffer[have] = 0;
        char *end;
        while ((end = strstr(buffer, "\r\n\r\n"))) {
            if (write(fd, answer, sizeof answer - 1) < 0) break;
            have -= end + 4 - buffer;
            memmove(buffer, end + 4, have + 1);
        }
        if (have >= sizeof buffer - 1) break;
    }
    close(fd);
    return 0;
}

int main(void) {
    const char *port = getenv("PORT");
    signal(SIGPIPE, SIG_IGN);
    int listener = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port ? atoi(port) : 8080)};
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 512)) return 1;
    for (;;) {
        int fd = accept(listener, 0, 0);
        if (fd < 0) continue;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        pthread_t thread;
        if (pthread_create(&thread, 0, serve, (void *)(long)fd)) close(fd);
        else pthread_detach(thread);
    }
}
