package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/meshc/meshc/pkg/emit"
)

// valueWidth is how many bytes of a value a line shows before it counts the rest.
const valueWidth = 120

// fieldWords says where in its resource a change is, part by part, and what changed.
func fieldWords(f emit.FieldChange, mark func(string) string) (where []string, what string) {
	var fields []string // since the last named item
	last := len(f.Path) - 1
	for i, s := range f.Path {
		if s.Item == "" {
			if !silent(s.Field) || i == last {
				fields = append(fields, s.Field)
			}
			continue
		}
		named := itemWords(s)
		if len(fields) > 0 {
			named = strings.Join(fields, ".") + " " + named
			fields = nil
		}
		where = append(where, named)
	}
	name := strings.Join(fields, ".")
	if name == "" && len(where) > 0 && f.Op != emit.Changed {
		// The item itself came, went or moved.
		name = where[len(where)-1]
		where = where[:len(where)-1]
	}
	if name == "weight" && f.Path[last-1].Item != "" {
		where = where[:len(where)-1]
		name = "weight of " + shortCluster(f.Path[last-1].Item)
	}
	return where, strings.TrimSpace(mark2(name, mark) + opWords(f, mark))
}

func mark2(name string, mark func(string) string) string {
	if name == "" {
		return ""
	}
	return mark(name) + " "
}

func opWords(f emit.FieldChange, mark func(string) string) string {
	switch f.Op {
	case emit.Moved:
		return fmt.Sprintf("moved from place %s to %s", f.Old, f.New)
	case emit.Added:
		if isScalarItem(f, f.New) {
			return "added"
		}
		return "added: " + mark(showValue(f.New))
	case emit.Removed:
		if isScalarItem(f, f.Old) {
			return "removed"
		}
		return "removed, was " + mark(showValue(f.Old))
	}
	return "changed " + mark(showValue(f.Old)) + " → " + mark(showValue(f.New))
}

// isScalarItem tells an item of a list of plain values, whose value is its name.
func isScalarItem(f emit.FieldChange, value json.RawMessage) bool {
	return len(f.Path) > 0 && f.Path[len(f.Path)-1].Item == showValue(value)
}

// silent are fields that only wrap what is of interest.
func silent(field string) bool {
	return field == "typed_config" || field == "route" || field == "weighted_clusters" || field == "socket_address"
}

// itemWords names an item of a list in the singular: virtual_hosts["x"] is "virtual host x".
func itemWords(s emit.Step) string {
	item := s.Item
	switch s.Field {
	case "http_filters", "filters", "listener_filters":
		for _, prefix := range []string{"envoy.filters.http.", "envoy.filters.network.", "envoy.filters.listener."} {
			item = strings.TrimPrefix(item, prefix)
		}
	case "lb_endpoints":
		return "endpoint " + item
	case "endpoints":
		return "locality " + item
	}
	if s.Field == "http_filters" {
		return "HTTP filter " + item
	}
	return singular(s.Field) + " " + item
}

func singular(field string) string {
	words := strings.ReplaceAll(field, "_", " ")
	switch {
	case strings.HasSuffix(words, "policies"):
		return strings.TrimSuffix(words, "ies") + "y"
	case strings.HasSuffix(words, "matches"), strings.HasSuffix(words, "prefixes"):
		return strings.TrimSuffix(words, "es")
	case strings.HasSuffix(words, "ss"):
		return words
	}
	return strings.TrimSuffix(words, "s")
}

// shortCluster is the subset of a cluster named as istiod names them, or its host if it has none.
func shortCluster(name string) string {
	parts := strings.Split(name, "|")
	switch {
	case len(parts) != 4:
		return name
	case parts[2] != "":
		return parts[2]
	}
	return parts[3]
}

// showValue is a value in one line. Of a long one the plain values are shown first, and the rest is counted.
func showValue(raw json.RawMessage) string {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return string(raw)
	}
	switch v := v.(type) {
	case string:
		if v == "" || strings.TrimSpace(v) != v || strings.ContainsAny(v, "\n\r\t\"") {
			return string(raw)
		}
		return cut(v)
	case map[string]any:
		if len(raw) > valueWidth {
			return showObject(v)
		}
	case []any:
		if len(raw) > valueWidth {
			return showList(v)
		}
	}
	return string(raw)
}

func showObject(m map[string]any) string {
	var shown []string
	width := 0
	keys := slices.Sorted(maps.Keys(m))
	slices.SortStableFunc(keys, func(a, b string) int { return rank(a, m[a]) - rank(b, m[b]) })
	for _, k := range keys {
		entry := k + ": " + cut(inLine(m[k]))
		if width += len(entry); width > valueWidth && len(shown) > 0 {
			break
		}
		shown = append(shown, entry)
	}
	if n := len(m) - len(shown); n > 0 {
		shown = append(shown, fmt.Sprintf("… %d more", n))
	}
	return "{" + strings.Join(shown, ", ") + "}"
}

// rank puts the name first, then plain values.
func rank(key string, v any) int {
	switch v.(type) {
	case map[string]any, []any:
		return 2
	}
	if key == "name" {
		return 0
	}
	return 1
}

func showList(list []any) string {
	var shown []string
	width := 0
	for _, v := range list {
		entry := cut(inLine(v))
		if width += len(entry); width > valueWidth && len(shown) > 0 {
			break
		}
		shown = append(shown, entry)
	}
	if n := len(list) - len(shown); n > 0 {
		shown = append(shown, fmt.Sprintf("… %d more", n))
	}
	return "[" + strings.Join(shown, ", ") + "]"
}

// inLine is a value inside another.
func inLine(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if e.Encode(v) != nil {
		return "?"
	}
	return strings.TrimSpace(b.String())
}

// cut shortens to the width of a value, at a character.
func cut(s string) string {
	if len(s) <= valueWidth {
		return s
	}
	end := valueWidth
	for end > 0 && s[end]&0xC0 == 0x80 {
		end--
	}
	return s[:end] + "…"
}
