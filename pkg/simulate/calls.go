package simulate

import (
	"fmt"

	"github.com/meshc/meshc/pkg/diag"
	"github.com/meshc/meshc/pkg/model/document"
	"github.com/meshc/meshc/pkg/model/resource"
)

// ReadCalls reads a list of calls, JSON or YAML. Unknown fields, wrong types and values that no call can have are errors that name file, line
// and column.
func ReadCalls(name string, text []byte) ([]Call, error) {
	doc, findings, err := document.ParseFile(name, text, document.Limits{})
	if err == nil {
		err = firstError(findings)
	}
	if err != nil {
		return nil, err
	}
	if doc == nil || doc.Root == nil {
		return nil, fmt.Errorf("%s: the list of calls is empty", name)
	}
	var calls []Call
	if err := firstError(new(resource.Decoder).Struct(doc, doc.Root, &calls)); err != nil {
		return nil, err
	}
	for i := range calls {
		if field, why := calls[i].complaint(); why != "" {
			node := doc.Root.Content[i]
			for k := 0; k+1 < len(node.Content); k += 2 {
				if node.Content[k].Value == field {
					node = node.Content[k+1]
				}
			}
			at := doc.Location(node)
			return nil, fmt.Errorf("%s:%d:%d: call %d%s: %s", at.File, at.Line, at.Column, i+1, inBrackets(calls[i].Name), why)
		}
	}
	return calls, nil
}

// firstError turns the first finding that is an error into a Go error with its place.
func firstError(findings []diag.Finding) error {
	for _, f := range diag.Sort(findings) {
		if f.Severity == diag.Error {
			return fmt.Errorf("%s:%d:%d: %s", f.Location.File, f.Location.Line, f.Location.Column, f.Message)
		}
	}
	return nil
}
