/* A web server for the tests of the runtime: what it does is in its environment and in the paths asked for. */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

extern char **environ;
static volatile int ready = 1;

static void on_term(int signal) {
    (void)signal;
    const char text[] = "asked to end\n";
    (void)!write(1, text, sizeof text - 1);
    /* In-flight requests were drained before; what is still open is answered by other threads meanwhile. */
    usleep(50000);
    _exit(0);
}

static void answer(int fd, int status, const char *body) {
    char head[256];
    int n = snprintf(head, sizeof head, "HTTP/1.1 %d X\r\ncontent-type: text/plain\r\ncontent-length: %zu\r\n\r\n", status, strlen(body));
    (void)!write(fd, head, n);
    (void)!write(fd, body, strlen(body));
}

/* Asks another server, `host[:port]/path`, and answers what it said; a header `x-pass: NAME: VALUE` goes along. */
static void call(int fd, const char *where, const char *head) {
    char host[256], port[8] = "80", text[65536], request[4096], extra[2048] = "";
    const char *path = strchr(where, '/');
    if (!path || (size_t)(path - where) >= sizeof host) return answer(fd, 400, "no host");
    snprintf(host, sizeof host, "%.*s", (int)(path - where), where);
    char *pass = strcasestr(head, "\r\nx-pass: ");
    if (pass) sscanf(pass + 10, "%2000[^\r]", extra);
    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nhost: %s\r\n%s%sconnection: close\r\n\r\n", path, host, extra, *extra ? "\r\n" : "");
    char *colon = strchr(host, ':');
    if (colon) {
        snprintf(port, sizeof port, "%s", colon + 1);
        *colon = 0;
    }
    struct addrinfo want = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *found;
    if (getaddrinfo(host, port, &want, &found)) return answer(fd, 502, "no such host");
    int other = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(other, found->ai_addr, found->ai_addrlen)) {
        answer(fd, 502, strerror(errno));
    } else {
        (void)!write(other, request, strlen(request));
        size_t have = 0;
        ssize_t n;
        while (have < sizeof text - 1 && (n = read(other, text + have, sizeof text - 1 - have)) > 0) have += n;
        text[have] = 0;
        answer(fd, 200, text);
    }
    freeaddrinfo(found);
    close(other);
}

static void *serve(void *argument) {
    int fd = (int)(long)argument;
    char buffer[65536];
    size_t have = 0;
    for (;;) {
        char *end;
        buffer[have] = 0;
        while (!(end = strstr(buffer, "\r\n\r\n"))) {
            if (have >= sizeof buffer - 1) goto out;
            ssize_t n = read(fd, buffer + have, sizeof buffer - 1 - have);
            if (n <= 0) goto out;
            have += n;
            buffer[have] = 0;
        }
        char method[16], path[1024];
        if (sscanf(buffer, "%15s %1023s", method, path) != 2) goto out;
        long length = 0;
        char *header = strcasestr(buffer, "\r\ncontent-length:");
        if (header && header < end) length = atol(header + 17);
        size_t head = end + 4 - buffer;
        if (strcasestr(buffer, "\r\nupgrade: echo")) {
            const char text[] = "HTTP/1.1 101 Switching Protocols\r\nupgrade: echo\r\nconnection: upgrade\r\n\r\n";
            (void)!write(fd, text, sizeof text - 1);
            ssize_t n;
            while ((n = read(fd, buffer, sizeof buffer)) > 0) (void)!write(fd, buffer, n);
            goto out;
        }
        char said[8192];
        snprintf(said, sizeof said, "%.*s", (int)head, buffer);
        long seen = have - head;
        memmove(buffer, buffer + head, have - head + 1);
        have -= head;
        char text[65536];
        text[0] = 0;
        if (!strncmp(path, "/echo", 5)) {
            long sum = 0, left = length;
            while (left > 0) {
                if (have == 0) {
                    ssize_t n = read(fd, buffer, sizeof buffer - 1);
                    if (n <= 0) goto out;
                    have = n;
                }
                size_t take = have < (size_t)left ? have : (size_t)left;
                for (size_t i = 0; i < take; i++) sum += (unsigned char)buffer[i];
                memmove(buffer, buffer + take, have - take);
                have -= take;
                left -= take;
            }
            snprintf(text, sizeof text, "%ld bytes, sum %ld", length, sum);
            answer(fd, 200, text);
        } else if (!strncmp(path, "/env/", 5)) {
            char *value = getenv(path + 5);
            answer(fd, value ? 200 : 404, value ? value : "unset");
        } else if (!strncmp(path, "/slow/", 6)) {
            usleep(atol(path + 6) * 1000);
            answer(fd, 200, "slow");
        } else if (!strcmp(path, "/crash")) {
            puts("crashing as asked");
            _exit(7);
        } else if (!strcmp(path, "/sick")) {
            ready = 0;
            answer(fd, 200, "sick");
        } else if (!strcmp(path, "/health")) {
            answer(fd, getenv("UNHEALTHY") || !ready ? 500 : 200, "health");
        } else if (!strncmp(path, "/write/", 7)) {
            FILE *file = fopen(path + 6, "w");
            if (file) fclose(file);
            answer(fd, file ? 200 : 500, file ? "written" : strerror(errno));
        } else if (!strcmp(path, "/who")) {
            snprintf(text, sizeof text, "uid %d pid %d", getuid(), getpid());
            answer(fd, 200, text);
        } else if (!strcmp(path, "/head")) {
            answer(fd, 200, said);
        } else if (!strncmp(path, "/call/", 6)) {
            call(fd, path + 6, said);
        } else if (!strncmp(path, "/read/", 6)) {
            FILE *file = fopen(path + 5, "r");
            text[file ? fread(text, 1, sizeof text - 1, file) : 0] = 0;
            if (file) fclose(file);
            answer(fd, file ? 200 : 404, text);
        } else {
            char *version = getenv("VERSION");
            answer(fd, 200, version ? version : "hello");
        }
        (void)seen;
        if (strcasestr(said, "\r\nconnection: close")) goto out;
    }
out:
    close(fd);
    return 0;
}

int main(int argc, char **argv) {
    setvbuf(stdout, 0, _IOLBF, 0);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGTERM, on_term);
    char *mode = getenv("MODE");
    char *port = getenv("LISTEN") ? getenv("LISTEN") : getenv("PORT");
    if (argc > 1) printf("started with %s\n", argv[1]);
    if (mode && !strcmp(mode, "exit")) {
        puts("no configuration, no service");
        fprintf(stderr, "fatal: DATABASE_URL is not set\n");
        return 3;
    }
    if (mode && !strcmp(mode, "greedy")) {
        for (;;) {
            char *more = malloc(8 << 20);
            if (more) memset(more, 1, 8 << 20);
            usleep(20000);
        }
    }
    if (mode && !strcmp(mode, "once")) {
        FILE *file = getenv("WRITE") ? fopen(getenv("WRITE"), "w") : 0;
        if (file) fclose(file);
        puts("done");
        return 0;
    }
    if (mode && !strcmp(mode, "idle")) {
        puts("working");
        for (;;) pause();
    }
    if (mode && !strcmp(mode, "late")) usleep(700000);
    int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(port ? port : "8080"))};
    address.sin_addr.s_addr = mode && !strcmp(mode, "near") ? htonl(INADDR_LOOPBACK) : INADDR_ANY;
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 512)) {
        fprintf(stderr, "cannot listen on port %s: %s\n", port ? port : "8080", strerror(errno));
        return 98;
    }
    printf("listening on port %s\n", port ? port : "8080");
    for (;;) {
        int fd = accept(listener, 0, 0);
        if (fd < 0) continue;
        pthread_t thread;
        pthread_attr_t attributes;
        pthread_attr_init(&attributes);
        pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
        pthread_attr_setstacksize(&attributes, 262144);
        pthread_create(&thread, &attributes, serve, (void *)(long)fd);
    }
}
