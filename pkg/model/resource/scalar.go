package resource

import (
	"fmt"
	"math"
	"strconv"

	"go.yaml.in/yaml/v3"

	"github.com/meshc/meshc/pkg/diag"
)

// The readers below report a value of another type than the field's and still return what was meant where that is plain, so that the stages
// after this one see as much of the mesh as possible.

// replace is a fix that writes other text in place of a scalar.
func (w *walker) replace(n *yaml.Node, text, description string) *diag.Fix {
	return &diag.Fix{Description: description, Edits: []diag.Edit{{Location: w.doc.Location(n), NewText: text}}}
}

func (w *walker) text(n *yaml.Node) (string, bool) {
	switch t := typeOf(n); t {
	case isString:
		return n.Value, true
	case isBool, isInt, isFloat:
		f := w.wrongType(n, "a string", "")
		quoted := strconv.Quote(n.Value)
		f.Message += "; put it in quotes: " + quoted
		f.Fix = w.replace(n, quoted, "put the value in quotes")
		return n.Value, true
	}
	w.wrongType(n, "a string", "")
	return "", false
}

func (w *walker) boolean(n *yaml.Node) (value, ok bool) {
	switch typeOf(n) {
	case isBool:
		return isTrue(n.Value), true
	case isString:
		if n.Value == "true" || n.Value == "false" {
			f := w.wrongType(n, "true or false", "")
			f.Fix = w.replace(n, n.Value, "remove the quotes")
			return n.Value == "true", true
		}
	}
	w.wrongType(n, "true or false", "")
	return false, false
}

// integer reads a whole number between low and high; quoted ones only where the field has 64 bits, as JSON has it for protobuf.
func (w *walker) integer(n *yaml.Node, low, high int64, quoted bool) (int64, bool) {
	var i int64
	var err error
	switch typeOf(n) {
	case isInt:
		i, err = strconv.ParseInt(plainNumber(n.Value), 0, 64)
	case isFloat:
		f, _ := parseFloat(n.Value)
		if f != math.Trunc(f) || math.Abs(f) >= 1<<63 {
			w.wrongType(n, "a whole number", "")
			return 0, false
		}
		i = int64(f)
	case isString:
		i, err = strconv.ParseInt(n.Value, 10, 64)
		if err != nil {
			w.wrongType(n, "a number", "")
			return 0, false
		}
		if !quoted {
			f := w.wrongType(n, "a number", "")
			f.Fix = w.replace(n, n.Value, "remove the quotes")
		}
	default:
		w.wrongType(n, "a number", "")
		return 0, false
	}
	if err != nil || i < low || i > high {
		w.wrongValue(n, fmt.Sprintf("%s is out of range: from %d to %d", n.Value, low, high))
		return 0, false
	}
	return i, true
}

func (w *walker) unsigned(n *yaml.Node, quoted bool) (uint64, bool) {
	if t := typeOf(n); t == isInt || t == isString && quoted {
		if u, err := strconv.ParseUint(plainNumber(n.Value), 0, 64); err == nil {
			return u, true
		}
	}
	i, ok := w.integer(n, 0, math.MaxInt64, quoted)
	return uint64(i), ok
}

// null reports a field without a value, which the schemas of custom resources refuse and everything else (metadata too) takes as absent.
func (w *walker) null(n *yaml.Node) {
	if w.kind != nil && w.kind.custom && w.steps[0].key == "spec" {
		w.wrongType(n, "a value", "remove the key or give it a value")
	}
}

func (w *walker) decimal(n *yaml.Node) (float64, bool) {
	switch typeOf(n) {
	case isInt, isFloat:
		if f, err := parseFloat(n.Value); err == nil {
			return f, true
		}
	case isString:
		if f, err := strconv.ParseFloat(n.Value, 64); err == nil {
			finding := w.wrongType(n, "a number", "")
			finding.Fix = w.replace(n, n.Value, "remove the quotes")
			return f, true
		}
	}
	w.wrongType(n, "a number", "")
	return 0, false
}
