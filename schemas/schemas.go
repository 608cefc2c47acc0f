// Package schemas embeds the CUE schemas of Istio's kinds, a file a kind and types.cue for what they share.
package schemas

import (
	"embed"
	"io/fs"
	"strings"
)

//go:embed *.cue
var files embed.FS

// Types returns the definitions that the kinds share.
func Types() []byte {
	b, _ := files.ReadFile("types.cue")
	return b
}

// Kind returns the schema of a kind and whether there is one; it defines #Kind in terms of Types.
func Kind(kind string) ([]byte, bool) {
	b, err := files.ReadFile(strings.ToLower(kind) + ".cue")
	return b, err == nil
}

// Files are all schemas, for tools that want them on their own.
func Files() fs.FS { return files }
