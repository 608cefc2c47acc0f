package compile

import (
	"testing"

	"google.golang.org/protobuf/reflect/protoregistry"
)

// TestNamesOfFieldsWithoutEffect holds that each is a field of Istio's API: a misspelt one would never be reported.
func TestNamesOfFieldsWithoutEffect(t *testing.T) {
	for name := range fieldsWithoutEffect() {
		if _, err := protoregistry.GlobalFiles.FindDescriptorByName(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
