package document

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"unicode/utf16"
)

// jsonEscapes rewrites the two escapes of JSON that the YAML parser does not know, an escaped slash and a pair of surrogates, in text
// that is JSON. Other text is returned as it is.
func jsonEscapes(text []byte) []byte {
	start := bytes.TrimLeft(text, " \t\r\n")
	if len(start) == 0 || start[0] != '{' && start[0] != '[' || !bytes.Contains(text, []byte(`\/`)) && !bytes.Contains(text, []byte(`\u`)) {
		return text
	}
	if !json.Valid(text) {
		return text
	}
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] != '\\' || i+1 == len(text):
			out = append(out, text[i])
		case text[i+1] == '/':
			out = append(out, '/')
			i++
		case text[i+1] == 'u':
			if r := utf16.DecodeRune(surrogate(text[i:]), surrogate(text[min(i+6, len(text)):])); r != '\uFFFD' {
				out = fmt.Appendf(out, "\\U%08X", r)
				i += 11
				continue
			}
			out = append(out, text[i])
		default:
			out = append(out, text[i], text[i+1])
			i++
		}
	}
	return out
}

// surrogate reads an escape of four hexadecimal digits, 0 where there is none.
func surrogate(text []byte) rune {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0
	}
	r, err := strconv.ParseUint(string(text[2:6]), 16, 16)
	if err != nil {
		return 0
	}
	return rune(r)
}
