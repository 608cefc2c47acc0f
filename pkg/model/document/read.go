package document

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf8"

	"github.com/meshc/meshc/pkg/diag"
)

// Options say where paths are looked up and what is wanted of them.
type Options struct {
	// FS, where set, is what paths are looked up in instead of the working directory.
	FS fs.FS
	// Stdin is read where a path is "-".
	Stdin io.Reader
	// Exclude are patterns for files and directories that a walk or a pattern passes over, with ** for any directories; what a path names
	// itself is read all the same.
	Exclude []string
	// Limits bound what is read.
	Limits Limits
	// Wanted tells whether documents of a kind are to be parsed; nil wants all. Others are counted and passed over unparsed.
	Wanted func(apiVersion, kind string) bool
}

// Set is everything that was read.
type Set struct {
	// Documents are ordered by file name, then line.
	Documents []*Document
	// Files holds the bytes of each file that was read.
	Files map[string][]byte
	// Total counts documents, those passed over and malformed ones included.
	Total int
	// Skipped counts documents that were passed over, by "apiVersion kind".
	Skipped map[string]int
	// Unread lists what was not looked at, and why.
	Unread []Unread
	// Findings are what was wrong with the text.
	Findings []diag.Finding
	// Unreadable counts files that could not be read at all; Malformed counts documents that are no YAML or beyond the limits.
	Unreadable, Malformed int
}

// Unread is something that was not looked at, and why.
type Unread struct{ File, Why string }

// NoKind is the key in Set.Skipped of documents that are no Kubernetes objects: they lack apiVersion or kind.
const NoKind = "without apiVersion and kind"

// Read reads the documents of files, directories (recursively), globs and "-". What is wrong with one of them becomes a finding; the error is
// for a cancelled context or a path that is no valid pattern.
func Read(ctx context.Context, opts Options, paths ...string) (*Set, error) {
	opts.Limits = opts.Limits.withDefaults()
	set := &Set{Files: map[string][]byte{}, Skipped: map[string]int{}}
	found := &finder{opts: opts, loops: map[string]bool{}}
	defer found.close()
	if err := found.find(ctx, paths); err != nil {
		return nil, err
	}
	set.Findings = append(set.Findings, found.findings...)
	set.Unreadable += len(found.findings)
	set.Unread = append(set.Unread, found.unread...)

	var jobs []*job
	for _, f := range found.files {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		jobs = append(jobs, set.readFile(f, opts, opts.Limits.Documents-len(jobs))...)
		if len(jobs) > opts.Limits.Documents {
			break
		}
	}
	set.Total += len(jobs)
	if len(jobs) > opts.Limits.Documents {
		first := jobs[opts.Limits.Documents]
		set.Findings = append(set.Findings, problem("schema/too-large", first.file, first.line, 1,
			fmt.Sprintf("more than %d documents; meshc reads no further", opts.Limits.Documents)))
		set.Unreadable++
		jobs = jobs[:opts.Limits.Documents]
	}
	if err := InParallel(ctx, len(jobs), func(i int) { jobs[i].run(opts) }); err != nil {
		return nil, err
	}
	for _, j := range jobs {
		set.add(j)
	}
	slices.SortFunc(set.Unread, func(a, b Unread) int { return cmp.Or(strings.Compare(a.File, b.File), strings.Compare(a.Why, b.Why)) })
	set.Unread = slices.Compact(set.Unread)
	return set, nil
}

// readFile returns the documents of a file, one more than there is room for where they are too many.
func (s *Set) readFile(f file, opts Options, room int) []*job {
	text, finding := f.read(opts)
	if finding == nil {
		finding = checkText(f.name, text)
	}
	if finding != nil {
		s.Findings = append(s.Findings, *finding)
		s.Unreadable++
		return nil
	}
	s.Files[f.name] = text
	if f.template {
		s.Unread = append(s.Unread, Unread{File: f.name, Why: helmTemplate})
		return nil
	}
	var jobs []*job
	for _, c := range split(bytes.TrimPrefix(text, []byte(byteOrderMark)), room) {
		jobs = append(jobs, &job{file: f.name, chunk: c})
	}
	return jobs
}

const (
	helmTemplate  = "Helm template: render it first (helm template …)"
	textTemplate  = "template: render it first (a Helm chart: helm template …)"
	byteOrderMark = "\uFEFF"
)

// checkText refuses bytes that no YAML file holds.
func checkText(name string, text []byte) *diag.Finding {
	at := func(offset int, message string) *diag.Finding {
		line := 1 + bytes.Count(text[:offset], []byte("\n"))
		column := 1 + utf8.RuneCount(text[bytes.LastIndexByte(text[:offset], '\n')+1:offset])
		f := problem("schema/yaml-syntax", name, line, column, message)
		return &f
	}
	if bytes.HasPrefix(text, []byte("\xFF\xFE")) || bytes.HasPrefix(text, []byte("\xFE\xFF")) {
		return at(0, "the file is UTF-16; save it as UTF-8")
	}
	if i := bytes.IndexByte(text, 0); i >= 0 {
		return at(i, "a NUL byte: this is no text file")
	}
	if !utf8.Valid(text) {
		for i := 0; i < len(text); {
			r, width := utf8.DecodeRune(text[i:])
			if r == utf8.RuneError && width == 1 {
				return at(i, fmt.Sprintf("the byte 0x%02X is not UTF-8; save the file as UTF-8", text[i]))
			}
			i += width
		}
	}
	return nil
}

// job is one document on its way from text to nodes.
type job struct {
	file string
	chunk
	doc      *Document
	findings []diag.Finding
	skipped  string
	template bool
	failed   bool
}

func (j *job) run(opts Options) {
	h := sniff(j.text)
	known := h.mapping && h.apiVersion != "" && h.kind != ""
	if known && opts.Wanted != nil && !opts.Wanted(h.apiVersion, h.kind) {
		j.skipped = h.apiVersion + " " + h.kind
		return
	}
	doc, findings, err := parse(j.file, j.chunk, opts.Limits, known || !h.mapping)
	switch {
	case errors.Is(err, errTemplate):
		j.template = true
	case err != nil:
		j.failed = true
		j.findings = []diag.Finding{syntaxFinding(j.file, j.chunk, err)}
	default:
		j.doc, j.findings = doc, findings
		j.failed = doc == nil && len(findings) > 0
	}
}

func (s *Set) add(j *job) {
	s.Findings = append(s.Findings, j.findings...)
	switch {
	case j.template:
		s.Unread = append(s.Unread, Unread{File: j.file, Why: textTemplate})
	case j.failed:
		s.Malformed++
	case j.skipped != "":
		s.Skipped[j.skipped]++
	case j.doc != nil:
		s.Documents = append(s.Documents, j.doc)
	default:
		s.Total--
	}
}

// InParallel calls do for 0 to n-1 on all cores and returns when all are done; the error is that of a cancelled context.
func InParallel(ctx context.Context, n int, do func(i int)) error {
	workers := min(runtime.GOMAXPROCS(0), n)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				do(i)
			}
		})
	}
	wg.Wait()
	return ctx.Err()
}
