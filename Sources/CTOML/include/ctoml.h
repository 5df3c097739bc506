#ifndef CTOML_H
#define CTOML_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// A C face of toml++ that keeps where every key and value stands.
///
/// Total: any bytes give a document or an error with its place. No C++ exception leaves these functions; recursion is bounded by
/// limits that are checked before the parser sees the text.

/// What a node is. Dates and times are kept apart only so that they can be named in a message.
typedef enum ctoml_kind {
    CTOML_TABLE = 0,
    CTOML_ARRAY = 1,
    CTOML_STRING = 2,
    CTOML_INTEGER = 3,
    CTOML_FLOAT = 4,
    CTOML_BOOLEAN = 5,
    CTOML_DATE_TIME = 6
} ctoml_kind;

/// One table, array or value. Lines and columns count from 1, columns in characters; 0 where the text has no such place.
typedef struct ctoml_node {
    ctoml_kind kind;
    /// Where the value begins; for a table the `[` of its header or the `{`.
    uint32_t line;
    uint32_t column;
    /// Where the key begins.
    uint32_t key_line;
    uint32_t key_column;
    /// How many direct children follow: nodes lie in pre-order, so each child is followed by its own children.
    size_t children;
    /// UTF-8, not terminated; NULL for elements of arrays and for the root.
    const char *key;
    size_t key_length;
    /// UTF-8, not terminated; NULL for all but strings.
    const char *text;
    size_t text_length;
    /// The value of an integer; 0 or 1 for a boolean.
    int64_t integer;
    /// The value of a float.
    double number;
} ctoml_node;

/// A parsed text, or the reason why it is none. Owned by the caller; give it back with ctoml_free.
typedef struct ctoml_document ctoml_document;

/// Parses UTF-8 text. The text is not kept. NULL only where memory ran out.
ctoml_document *ctoml_parse(const char *text, size_t length);

/// The nodes in pre-order, the root table first; none where the text did not parse. They live as long as the document.
const ctoml_node *ctoml_nodes(const ctoml_document *document, size_t *count);

/// The first fault of the syntax: its message and place, or NULL where there is none. Lives as long as the document.
const char *ctoml_error(const ctoml_document *document, uint32_t *line, uint32_t *column);

void ctoml_free(ctoml_document *document);

#ifdef __cplusplus
}
#endif

#endif
