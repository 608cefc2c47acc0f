package simulate

import (
	"strings"

	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
)

// normalizePath applies what the connection manager is told about paths, and reports whether the request goes on
// (https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_conn_man/http_conn_man#path-normalization).
func (w *walk) normalizePath(m *hcmv3.HttpConnectionManager) bool {
	r := w.request
	refuse := func(why string) bool {
		w.step(StageRequest, by(m), "%s: %s", r.path, why)
		w.out.Status = 400
		w.fail(ProtocolError)
		return false
	}
	before := r.path
	// A fragment is cut off, as Istio's bootstraps ask (http_reject_path_with_fragment).
	plain, _, _ := strings.Cut(r.path, "#")
	path, query := splitQuery(plain)
	redirect := false
	if action := m.GetPathWithEscapedSlashesAction(); action > hcmv3.HttpConnectionManager_KEEP_UNCHANGED {
		if plain := slashEscapes.Replace(path); plain != path {
			if action == hcmv3.HttpConnectionManager_REJECT_REQUEST {
				return refuse("escaped slashes are refused")
			}
			path = plain
			redirect = action == hcmv3.HttpConnectionManager_UNESCAPE_AND_REDIRECT
		}
	}
	if m.GetNormalizePath().GetValue() {
		canonical, ok := canonicalPath(path)
		if !ok {
			return refuse("the path holds what cannot be normalized")
		}
		path = canonical
	}
	if m.GetMergeSlashes() {
		path = mergeSlashes(path)
	}
	r.path = path + query
	if r.path != before {
		w.step(StageRequest, by(m), "the path %s is normalized to %s", before, r.path)
	}
	if redirect {
		w.step(StageRequest, by(m), "the client is sent to the path without escaped slashes")
		w.out.Redirect = &Redirect{Status: 307, Location: r.path}
		return false
	}
	return true
}

// slashEscapes undoes the escapes of / and \.
var slashEscapes = strings.NewReplacer("%2f", "/", "%2F", "/", "%5c", `\`, "%5C", `\`)

// splitQuery splits a path from its query, which keeps its question mark.
func splitQuery(path string) (before, query string) {
	if i := strings.IndexByte(path, '?'); i >= 0 {
		return path[:i], path[i:]
	}
	return path, ""
}

// mergeSlashes makes one slash of several in a row.
func mergeSlashes(path string) string {
	if !strings.Contains(path, "//") {
		return path
	}
	parts := strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
	merged := strings.Join(parts, "/")
	if strings.HasPrefix(path, "/") {
		merged = "/" + merged
	}
	if strings.HasSuffix(path, "/") {
		merged += "/"
	}
	return merged
}

const upperHex = "0123456789ABCDEF"

// canonicalPath normalizes a path without its query as Envoy does, which follows RFC 3986 and browsers: dot segments are resolved, a backslash is
// a slash, escapes of letters, digits and -._~ are undone, and what may not stand in a path is escaped. It reports false for a path
// with a NUL or bytes that are no UTF-8.
func canonicalPath(path string) (string, bool) {
	out := make([]byte, 0, len(path)+1)
	stray := -1 // where the last % stands in out that begins no escape
	if path == "" || path[0] != '/' && path[0] != '\\' {
		out = append(out, '/')
	}
	for i := 0; i < len(path); {
		c := path[i]
		if n := dotAt(path, i); n > 0 {
			if len(out) == 0 || out[len(out)-1] != '/' {
				out = append(out, '.')
				i += n
				continue
			}
			switch size, up := segmentAfterDot(path, i+n); {
			case size < 0:
				out = append(out, '.')
				i += n
			case up:
				out = upOne(out)
				if stray >= len(out) {
					stray = -1
				}
				i += n + size
			default:
				i += n + size
			}
			continue
		}
		switch {
		case c == '\\':
			out = append(out, '/')
		case c == '%':
			value, ok := escapeAt(path, i)
			switch {
			case !ok:
				stray = len(out)
				out = append(out, '%')
			case value == 0:
				return "", false
			case isUnreserved(value):
				out = append(out, value)
				i += 2
				if stray >= 0 && len(out)-stray <= 3 {
					out = escapeStray(out, stray, path[i+1:])
				}
			default:
				out = append(out, path[i:i+3]...)
				i += 2
			}
		case c == 0:
			return "", false
		case mustEscape(c):
			out = append(out, '%', upperHex[c>>4], upperHex[c&15])
		default:
			out = append(out, c)
		}
		i++
	}
	return string(out), true
}

// escapeStray keeps a stray % from becoming the begin of an escape by what was unescaped after it (%%32e must not turn into %2e): it is written
// %25 then. Rest is the input yet to come.
func escapeStray(out []byte, stray int, rest string) []byte {
	tail := string(out[stray+1:])
	whole := tail
	if len(tail) == 1 {
		if rest == "" {
			return out
		}
		whole += rest[:1]
	}
	if _, ok := escapeAt("%"+whole, 0); !ok {
		return out
	}
	return append(append(out[:stray], "%25"...), tail...)
}

// dotAt returns the length of a dot at i, which may be written %2e, and 0 for anything else.
func dotAt(s string, i int) int {
	switch {
	case i >= len(s):
		return 0
	case s[i] == '.':
		return 1
	case s[i] == '%' && len(s) >= i+3 && s[i+1] == '2' && s[i+2]|0x20 == 'e':
		return 3
	}
	return 0
}

// segmentAfterDot looks at what follows the first dot of a segment: nothing or another dot up to the segment's end. It returns how much that is
// with the slash after it, and whether it goes up; a negative size is that of an ordinary segment.
func segmentAfterDot(s string, i int) (size int, up bool) {
	end := func(i int) (int, bool) {
		switch {
		case i >= len(s):
			return 0, true
		case s[i] == '/' || s[i] == '\\':
			return 1, true
		}
		return 0, false
	}
	if slash, ok := end(i); ok {
		return slash, false
	}
	second := dotAt(s, i)
	if second == 0 {
		return -1, false
	}
	if slash, ok := end(i + second); ok {
		return second + slash, true
	}
	return -1, false
}

// upOne takes off the last segment; the path ends with a slash before and after.
func upOne(path []byte) []byte {
	i := len(path) - 1
	if i == 0 {
		return path
	}
	for i--; path[i] != '/' && i > 0; {
		i--
	}
	return path[:i+1]
}

func escapeAt(s string, i int) (byte, bool) {
	if i+2 >= len(s) {
		return 0, false
	}
	high, ok1 := hexDigit(s[i+1])
	low, ok2 := hexDigit(s[i+2])
	return high<<4 | low, ok1 && ok2
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10, true
	}
	return 0, false
}

func isUnreserved(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.' || c == '~'
}

func mustEscape(c byte) bool {
	return c <= ' ' || c >= 0x7f || strings.IndexByte("\"#<>?^`{|}", c) >= 0
}
