package emit

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// Most of a bootstrap is the same on both sides of a difference. So it is cut into resources first, without decoding, and only those
// whose bytes differ are decoded and compared.

// rawPart is one resource of a bootstrap as it stands there.
type rawPart struct {
	kind, name string
	// pointer is where it stands.
	pointer string
	text    []byte
}

// rawParts cuts a bootstrap into its resources, by kind and name. Further ones of the same kind and name are numbered.
func rawParts(d *Document) (map[string]rawPart, error) {
	parts := map[string]rawPart{}
	add := func(p rawPart) {
		name := p.name
		for n := 2; ; n++ {
			key := p.kind + "\n" + p.name
			if _, taken := parts[key]; !taken {
				parts[key] = p
				return
			}
			p.name = name + " #" + strconv.Itoa(n)
		}
	}
	err := members(d.Bootstrap, func(member string, value []byte) error {
		if member != "static_resources" {
			add(rawPart{kind: member, pointer: "/" + escapePointer(member), text: value})
			return nil
		}
		return members(value, func(member string, value []byte) error {
			pointer := "/static_resources/" + escapePointer(member)
			kind, ok := listedKind(member)
			if !ok {
				add(rawPart{kind: member, pointer: pointer, text: value})
				return nil
			}
			i := 0
			return elements(value, func(item []byte) error {
				add(rawPart{kind: kind, name: rawName(item), pointer: pointer + "/" + strconv.Itoa(i), text: item})
				i++
				return nil
			})
		})
	})
	if err == nil {
		return parts, nil
	}
	// encoding/json knows better what is wrong.
	var object map[string]json.RawMessage
	if detail := json.Unmarshal(d.Bootstrap, &object); detail != nil {
		err = detail
	}
	return nil, fmt.Errorf("the bootstrap of %s is no JSON object of Envoy's: %w", d.ID, err)
}

func listedKind(member string) (string, bool) {
	switch member {
	case "listeners":
		return kindListener, true
	case "clusters":
		return kindCluster, true
	case "secrets":
		return kindSecret, true
	}
	return "", false
}

// rawName returns the member "name" of an object, "" if it has none.
func rawName(text []byte) string {
	name := ""
	err := members(text, func(member string, value []byte) error {
		if member != "name" {
			return nil
		}
		if err := json.Unmarshal(value, &name); err != nil {
			return err
		}
		return errDone
	})
	if err != nil && !errors.Is(err, errDone) {
		return ""
	}
	return name
}

var (
	errDone   = errors.New("found")
	errNoJSON = errors.New("not the JSON that was expected here")
)

// members calls see with each member of a JSON object. Values are cut out by their brackets and quotes, not checked.
func members(text []byte, see func(name string, value []byte) error) error {
	return between(text, '{', '}', func(at int) (int, error) {
		end, err := valueEnd(text, at)
		if err != nil || text[at] != '"' {
			return 0, errNoJSON
		}
		var name string
		if err := json.Unmarshal(text[at:end], &name); err != nil {
			return 0, err
		}
		at = blank(text, end)
		if at >= len(text) || text[at] != ':' {
			return 0, errNoJSON
		}
		at = blank(text, at+1)
		if end, err = valueEnd(text, at); err != nil {
			return 0, err
		}
		return end, see(name, text[at:end])
	})
}

// elements calls see with each element of a JSON list.
func elements(text []byte, see func(value []byte) error) error {
	return between(text, '[', ']', func(at int) (int, error) {
		end, err := valueEnd(text, at)
		if err != nil {
			return 0, err
		}
		return end, see(text[at:end])
	})
}

// between goes through what stands between two brackets, separated by commas; item returns where the item that begins at a position ends.
func between(text []byte, open, end byte, item func(int) (int, error)) error {
	i := blank(text, 0)
	if i >= len(text) || text[i] != open {
		return errNoJSON
	}
	if i = blank(text, i+1); i < len(text) && text[i] == end {
		return onlyBlank(text, i+1)
	}
	for i < len(text) {
		next, err := item(i)
		if err != nil {
			return err
		}
		i = blank(text, next)
		switch {
		case i < len(text) && text[i] == end:
			return onlyBlank(text, i+1)
		case i >= len(text) || text[i] != ',':
			return errNoJSON
		}
		i = blank(text, i+1)
	}
	return errNoJSON
}

func onlyBlank(text []byte, i int) error {
	if blank(text, i) != len(text) {
		return errNoJSON
	}
	return nil
}

func blank(text []byte, i int) int {
	for i < len(text) && (text[i] == ' ' || text[i] == '\n' || text[i] == '\t' || text[i] == '\r') {
		i++
	}
	return i
}

// valueEnd returns where the value that begins at i ends.
func valueEnd(text []byte, i int) (int, error) {
	if i >= len(text) {
		return 0, errNoJSON
	}
	depth := 0
	for ; i < len(text); i++ {
		switch text[i] {
		case '"':
			end := quoteEnd(text, i)
			if end < 0 {
				return 0, errNoJSON
			}
			i = end - 1
			if depth == 0 {
				return end, nil
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1, nil
			}
			if depth < 0 {
				return i, nil // the end of what is around a number or a word
			}
		case ',', ' ', '\n', '\t', '\r', ':':
			if depth == 0 {
				return i, nil
			}
		}
	}
	if depth > 0 {
		return 0, errNoJSON
	}
	return i, nil
}

// quoteEnd returns the position after the string that begins at i, -1 if it has no end.
func quoteEnd(text []byte, i int) int {
	for i++; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return -1
}
