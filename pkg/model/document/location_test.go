package document_test

import (
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/meshc/meshc/pkg/model/document"
)

// TestLocationCoversTheScalar holds that a location is the very text that an edit has to replace.
func TestLocationCoversTheScalar(t *testing.T) {
	tests := []struct {
		name, text string
		want       string // the text from Column to EndColumn of line 1, "" for a point
	}{
		{"plain", "a: value # comment", "value"},
		{"plain with blanks", "a: some value", "some value"},
		{"double quotes", `a: "say \"hé\"" # comment`, `"say \"hé\""`},
		{"single quotes", `a: 'it''s' # comment`, `'it''s'`},
		{"behind characters of several bytes", "é: [ü, value]", "ü"},
		{"behind an anchor and a tag", "a: &x !!str value", "value"},
		{"a literal block", "a: |\n  value", ""},
		{"over several lines", "a: some\n  value", ""},
		{"null", "a:", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			doc, findings := document.Parse("x", 1, []byte(test.text), document.Limits{})
			if doc == nil {
				t.Fatal(said(findings))
			}
			n := doc.Root.Content[1]
			if n.Kind == yaml.SequenceNode {
				n = n.Content[0]
			}
			l := doc.Location(n)
			if l.EndLine == 0 {
				if test.want != "" {
					t.Errorf("a point, want %q", test.want)
				}
				return
			}
			if got := string([]rune(test.text)[l.Column-1 : l.EndColumn-1]); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
