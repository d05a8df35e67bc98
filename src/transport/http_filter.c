/* http_filter.c - see http_filter.h. */
#include "transport/http_filter.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

#define CHUNK_DIGITS_MAX  8u  /* hex: up to 4 GiB a chunk */
#define LENGTH_DIGITS_MAX 19u /* which cannot overflow 64 bits */
#define BLANK_LINES_MAX   4u
#define FRAMING           "ambiguous message framing"

/* The handler never sees what it stands for. */
static const char substitute[] = "GET / HTTP/1.1\r\nHost: fault\r\n\r\n";

void http_filter_init(struct http_filter *filter)
{
    *filter = (struct http_filter){.state = HTTP_FILTER_HEAD};
}

static void make(struct http_filter *filter, const char *text)
{
    size_t size = strlen(text);

    assert(filter->made_at == filter->made_size && size <= sizeof filter->made);
    memcpy(filter->made, text, size);
    filter->made_at = 0;
    filter->made_size = size;
}

/* A head that is not to be answered as it stands. */
static void fault_in_head(struct http_filter *filter, unsigned status, const char *words)
{
    filter->state = HTTP_FILTER_FAULTY;
    filter->fault_status = status;
    filter->fault = words;
    filter->is_fault_in_head = true;
    filter->head_count++;
    make(filter, substitute);
}

/* Chunks that do not go on as they should: the body ends here, for the library. */
static void fault_in_chunks(struct http_filter *filter, const char *end)
{
    filter->state = HTTP_FILTER_FAULTY;
    filter->fault_status = 400;
    filter->fault = FRAMING;
    make(filter, end);
}

static bool is_token_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static size_t token_size(const char *text, size_t size)
{
    size_t used = 0;

    while (used < size && is_token_char(text[used]))
        used++;
    return used;
}

/* What a request's head says of its body. */
struct head {
    bool is_1_0;
    unsigned length_count, encoding_count, host_count, field_count;
    uint64_t length;
    unsigned status; /* of a fault; 0: none so far */
    const char *fault;
};

static void set_fault(struct head *head, unsigned status, const char *words)
{
    if (head->status == 0) {
        head->status = status;
        head->fault = words;
    }
}

static void read_version(struct head *head, const char *text, size_t size)
{
    bool is_version = size == 8 && memcmp(text, "HTTP/", 5) == 0 && text[5] >= '0' &&
                      text[5] <= '9' && text[6] == '.' && text[7] >= '0' && text[7] <= '9';

    if (!is_version)
        set_fault(head, 400, "the request line has no HTTP version");
    else if (text[5] != '1' || text[7] > '1')
        set_fault(head, 505, "HTTP/1.1 and HTTP/1.0 are spoken here");
    else
        head->is_1_0 = text[7] == '0';
}

/* METHOD SP TARGET SP VERSION, without its end. */
static void read_request_line(struct head *head, const char *line, size_t size)
{
    size_t method_size = token_size(line, size);
    const char *target = line + method_size + 1, *end = line + size, *space;

    if (method_size == 0 || method_size >= size || line[method_size] != ' ') {
        set_fault(head, 400, "the request line has no method");
        return;
    }
    space = memchr(target, ' ', (size_t)(end - target));
    if (space == target || space == NULL) {
        set_fault(head, 400, "the request line has no target");
        return;
    }
    for (const char *at = target; at < space; at++)
        if ((unsigned char)*at <= ' ' || (unsigned char)*at >= 0x7f)
            set_fault(head, 400, "the request target has a byte that is no visible ASCII");
    if (memchr(space + 1, ' ', (size_t)(end - space - 1)) != NULL)
        set_fault(head, 400, "a space in the request target");
    else
        read_version(head, space + 1, (size_t)(end - space - 1));
}

static bool is_name(const char *name, size_t size, const char *wanted)
{
    return size == strlen(wanted) && strncasecmp(name, wanted, size) == 0;
}

static void read_length(struct head *head, const char *value, size_t size)
{
    head->length_count++;
    if (size == 0)
        set_fault(head, 400, FRAMING);
    for (size_t i = 0; i < size; i++)
        if (value[i] < '0' || value[i] > '9')
            set_fault(head, 400, FRAMING);
    if (size > LENGTH_DIGITS_MAX)
        set_fault(head, 413, "the body is too large");
    for (size_t i = 0; i < size && head->status == 0; i++)
        head->length = head->length * 10 + (uint64_t)(value[i] - '0');
}

static void read_field(struct head *head, const char *line, size_t size)
{
    size_t name_size = token_size(line, size);
    const char *value = line + name_size + 1, *end = line + size;

    if (++head->field_count > HTTP_FIELDS_MAX)
        set_fault(head, 431, "too many fields in the head");
    if (name_size == 0 || name_size >= size || line[name_size] != ':') {
        set_fault(head, 400, FRAMING); /* a folded line and a space before ':' among them */
        return;
    }
    while (value < end && (*value == ' ' || *value == '\t'))
        value++;
    while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    if (is_name(line, name_size, "Content-Length"))
        read_length(head, value, (size_t)(end - value));
    else if (is_name(line, name_size, "Host"))
        head->host_count++;
    if (!is_name(line, name_size, "Transfer-Encoding"))
        return;
    head->encoding_count++;
    if (!is_name(value, (size_t)(end - value), "chunked"))
        set_fault(head, 400, FRAMING);
}

/* Reads a whole head, whose lines are known to end in CR LF. */
static void read_head(struct head *head, const char *text, size_t size)
{
    const char *end = text + size - 2, *line = text;
    const char *stop = memchr(line, '\r', (size_t)(end - line));

    read_request_line(head, line, (size_t)(stop - line));
    for (line = stop + 2; line < end; line = stop + 2) {
        stop = memchr(line, '\r', (size_t)(end + 2 - line));
        read_field(head, line, (size_t)(stop - line));
    }
    if (head->length_count + head->encoding_count > 1 ||
        (head->is_1_0 && head->encoding_count > 0)) /* HTTP/1.0 has no chunks */
        set_fault(head, 400, FRAMING);
    if (head->host_count > 1 || (head->host_count == 0 && !head->is_1_0))
        set_fault(head, 400, "one Host field is required");
}

/* Looks at bytes of a head that have just come.  0: more have to come; else the size
 * of the head, or SIZE_MAX if no good head begins like that. */
static size_t scan_head(struct http_filter *filter, const char *in, size_t size)
{
    size_t at = filter->scanned;

    if (size > HTTP_HEAD_SIZE_MAX)
        size = HTTP_HEAD_SIZE_MAX; /* what is behind does not make it better */
    for (; at < size; at++) {
        unsigned char c = (unsigned char)in[at];

        if (c == '\n' ? at == 0 || in[at - 1] != '\r' : at > 0 && in[at - 1] == '\r')
            return SIZE_MAX; /* each of the two only together with the other */
        if ((c < ' ' && c != '\t' && c != '\r' && c != '\n') || c == 0x7f)
            return SIZE_MAX;
        if (c == '\n' && at >= 3 && in[at - 2] == '\n')
            return at + 1;
    }
    filter->scanned = at;
    return 0;
}

/* Decides of the head at the front of in.  False if there is nothing to be done yet. */
static bool take_head(struct http_filter *filter, const char *in, size_t size, size_t *used)
{
    struct head head = {.status = 0};
    size_t head_size;

    *used = 0;
    if (size > 0 && in[0] == '\r' && (size == 1 || in[1] == '\n')) {
        if (size > 1 && filter->blank_count++ == BLANK_LINES_MAX) {
            fault_in_head(filter, 400, "empty lines before a request");
            return true;
        }
        *used = size > 1 ? 2 : 0; /* an empty line before a request means nothing (RFC 9112, 2.2) */
        return size > 1;
    }
    head_size = scan_head(filter, in, size);
    if (head_size == SIZE_MAX) {
        fault_in_head(filter, 400, "a control character, or a line that does not end in CR LF");
        return true;
    }
    if (head_size == 0 && size > HTTP_HEAD_SIZE_MAX) {
        fault_in_head(filter, 431, "the head is too large");
        return true;
    }
    if (head_size == 0)
        return false;
    filter->scanned = 0;
    filter->blank_count = 0;
    read_head(&head, in, head_size);
    if (head.status != 0) {
        fault_in_head(filter, head.status, head.fault);
        return true;
    }
    filter->state = HTTP_FILTER_GIVING;
    filter->left = head_size;
    filter->body_size = head.length;
    filter->next = head.encoding_count > 0 ? HTTP_FILTER_CHUNK_SIZE
                   : head.length > 0       ? HTTP_FILTER_BODY
                                           : HTTP_FILTER_HEAD;
    filter->head_count++;
    return true;
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Reads "1f CR LF" once all of it is there: extensions mean nothing to anybody here,
 * and much to who wants to be read in two ways. */
static bool take_chunk_size(struct http_filter *filter, const char *in, size_t size, size_t *used)
{
    uint64_t value = 0;
    size_t digits = 0;

    *used = 0;
    while (digits < size && digits <= CHUNK_DIGITS_MAX && digit_of(in[digits]) >= 0)
        value = value * 16 + (uint64_t)digit_of(in[digits++]);
    if (digits == size && digits <= CHUNK_DIGITS_MAX)
        return false;
    if (digits == 0 || digits > CHUNK_DIGITS_MAX || in[digits] != '\r' ||
        (digits + 1 < size && in[digits + 1] != '\n')) {
        fault_in_chunks(filter, "0\r\n\r\n");
        return true;
    }
    if (digits + 1 == size)
        return false;
    *used = digits + 2;
    filter->left = value;
    filter->state = value > 0 ? HTTP_FILTER_CHUNK : HTTP_FILTER_LAST;
    if (value > 0) { /* as it came, but for zeros in front */
        char line[CHUNK_DIGITS_MAX + 3];
        size_t zeros = strspn(in, "0");

        memcpy(line, in + zeros, *used - zeros);
        line[*used - zeros] = '\0';
        make(filter, line);
    }
    return true;
}

/* CR LF behind a chunk, or behind the last one, where fields could stand: none do. */
static bool take_line_end(struct http_filter *filter, const char *in, size_t size, size_t *used)
{
    bool is_last = filter->state == HTTP_FILTER_LAST;

    *used = 0;
    if ((size > 0 && in[0] != '\r') || (size > 1 && in[1] != '\n')) {
        fault_in_chunks(filter, is_last ? "0\r\n\r\n" : "\r\n0\r\n\r\n");
        return true;
    }
    if (size < 2)
        return false;
    *used = 2;
    filter->state = is_last ? HTTP_FILTER_HEAD : HTTP_FILTER_CHUNK_SIZE;
    make(filter, is_last ? "0\r\n\r\n" : "\r\n");
    return true;
}

/* Bytes went on as they are: what comes after the last of them? */
static void advance(struct http_filter *filter, size_t passed)
{
    filter->left -= passed;
    if (filter->left > 0)
        return;
    if (filter->state == HTTP_FILTER_GIVING) {
        filter->state = filter->next;
        filter->left = filter->body_size;
    } else {
        filter->state =
            filter->state == HTTP_FILTER_BODY ? HTTP_FILTER_HEAD : HTTP_FILTER_CHUNK_END;
    }
}

static size_t pass(struct http_filter *filter, const char *in, size_t size, char *out, size_t room)
{
    size_t passed = size < room ? size : room;

    if (passed > filter->left)
        passed = (size_t)filter->left;
    if (passed == 0)
        return 0;
    memcpy(out, in, passed);
    advance(filter, passed);
    return passed;
}

uint64_t http_filter_unseen(const struct http_filter *filter)
{
    return filter->made_at == filter->made_size &&
                   (filter->state == HTTP_FILTER_BODY || filter->state == HTTP_FILTER_CHUNK)
               ? filter->left
               : 0;
}

void http_filter_passed(struct http_filter *filter, size_t size)
{
    assert(size <= http_filter_unseen(filter));
    if (size > 0)
        advance(filter, size);
}

/* One step: bytes of ours, bytes as they are, or a decision.  False if neither is
 * possible. */
static bool step(struct http_filter *filter, const char *in, size_t in_size, size_t *used,
                 char *out, size_t room, size_t *written)
{
    *used = *written = 0;
    if (filter->made_at < filter->made_size) {
        *written = filter->made_size - filter->made_at;
        if (*written > room)
            *written = room;
        memcpy(out, filter->made + filter->made_at, *written);
        filter->made_at += *written;
        return *written > 0;
    }
    switch (filter->state) {
    case HTTP_FILTER_HEAD:
        return take_head(filter, in, in_size, used);
    case HTTP_FILTER_CHUNK_SIZE:
        return take_chunk_size(filter, in, in_size, used);
    case HTTP_FILTER_CHUNK_END:
    case HTTP_FILTER_LAST:
        return take_line_end(filter, in, in_size, used);
    case HTTP_FILTER_FAULTY:
        *used = in_size;
        return in_size > 0;
    default:
        *used = *written = pass(filter, in, in_size, out, room);
        return *used > 0;
    }
}

size_t http_filter_run(struct http_filter *filter, const char *in, size_t in_size, size_t *used,
                       char *out, size_t out_size)
{
    size_t taken, given, written = 0;

    *used = 0;
    while (step(filter, in + *used, in_size - *used, &taken, out + written, out_size - written,
                &given)) {
        *used += taken;
        written += given;
    }
    return written;
}
