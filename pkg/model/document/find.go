package document

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/meshc/meshc/pkg/diag"
)

// stdinName is what standard input is called in findings.
const stdinName = "<stdin>"

// file is one file to read.
type file struct {
	name string
	open func() (fs.File, error)
	info fs.FileInfo
	// link is true where a symbolic link led here.
	link     bool
	template bool
}

// read returns the file's bytes, or what kept it from being read.
func (f file) read(opts Options) ([]byte, *diag.Finding) {
	if f.info != nil && f.info.Size() > opts.Limits.FileBytes {
		return nil, tooLarge(f.name, opts.Limits)
	}
	var in io.Reader = opts.Stdin
	if f.open != nil {
		opened, err := f.open()
		if err != nil {
			return nil, unreadable(f.name, err)
		}
		defer opened.Close()
		in = opened
	}
	if in == nil {
		return nil, nil
	}
	limited := &io.LimitedReader{R: in, N: opts.Limits.FileBytes + 1}
	text, err := readAll(limited, f.info)
	if err != nil {
		return nil, unreadable(f.name, err)
	}
	if int64(len(text)) > opts.Limits.FileBytes {
		return nil, tooLarge(f.name, opts.Limits)
	}
	return text, nil
}

// readAll reads to the end, with room for the expected size from the start.
func readAll(in io.Reader, info fs.FileInfo) ([]byte, error) {
	if info == nil {
		return io.ReadAll(in)
	}
	text := make([]byte, 0, info.Size()+1)
	for {
		n, err := in.Read(text[len(text):cap(text)])
		text = text[:len(text)+n]
		if err == io.EOF {
			return text, nil
		}
		if err != nil {
			return text, err
		}
		if len(text) == cap(text) {
			text = slices.Grow(text, 512)
		}
	}
}

func tooLarge(name string, limits Limits) *diag.Finding {
	f := problem("schema/too-large", name, 1, 1, fmt.Sprintf("the file has more than %d bytes, the most that meshc reads", limits.FileBytes))
	return &f
}

// unreadable words an error of the file system without the name, which the location gives.
func unreadable(name string, err error) *diag.Finding {
	why := err.Error()
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		why = pathError.Err.Error()
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		why = "there is no such file or directory"
	case errors.Is(err, fs.ErrPermission):
		why = "no permission to read it"
	case strings.Contains(why, "too many levels of symbolic links"):
		why = "the symbolic link leads back to itself"
	case strings.Contains(why, "escapes"):
		why = "the symbolic link leads out of the directory that is being read; name its target as a path of its own"
	}
	f := problem("schema/unreadable", name, 1, 1, "cannot be read: "+why)
	return &f
}

// finder collects the files that paths stand for.
type finder struct {
	opts     Options
	files    []file
	unread   []Unread
	findings []diag.Finding
	// loops are symbolic links already reported as part of a loop.
	loops map[string]bool
	// roots are the directories that files are opened in.
	roots []*os.Root
}

func (f *finder) close() {
	for _, root := range f.roots {
		root.Close()
	}
}

// find turns paths into files, each of them once, ordered by name.
func (f *finder) find(ctx context.Context, paths []string) error {
	for _, pattern := range f.opts.Exclude {
		if !doublestar.ValidatePattern(pattern) {
			return fmt.Errorf("%s: not a valid pattern", pattern)
		}
	}
	for _, p := range slices.Sorted(slices.Values(paths)) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := f.path(ctx, p); err != nil {
			return err
		}
	}
	f.dropRepeated()
	if len(f.files) > f.opts.Limits.Files {
		first := f.files[f.opts.Limits.Files]
		f.findings = append(f.findings, problem("schema/too-large", first.name, 1, 1,
			fmt.Sprintf("more than %d files; meshc reads no further", f.opts.Limits.Files)))
		f.files = f.files[:f.opts.Limits.Files]
	}
	return nil
}

// dropRepeated sorts the files by name and keeps one of those that are the same file under two names.
func (f *finder) dropRepeated() {
	slices.SortStableFunc(f.files, func(a, b file) int {
		return cmp.Or(compareBool(a.link, b.link), compareBool(path.IsAbs(a.name), path.IsAbs(b.name)), cmp.Compare(a.name, b.name))
	})
	byName := map[string]bool{}
	bySize := map[int64][]fs.FileInfo{}
	kept := f.files[:0]
	for _, file := range f.files {
		if byName[file.name] {
			continue
		}
		byName[file.name] = true
		if file.info != nil {
			size := file.info.Size()
			if slices.ContainsFunc(bySize[size], func(o fs.FileInfo) bool { return os.SameFile(o, file.info) }) {
				continue
			}
			bySize[size] = append(bySize[size], file.info)
		}
		kept = append(kept, file)
	}
	f.files = kept
	slices.SortFunc(f.files, func(a, b file) int { return cmp.Compare(a.name, b.name) })
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// path adds what one path of the user stands for.
func (f *finder) path(ctx context.Context, p string) error {
	if p == "-" {
		f.files = append(f.files, file{name: stdinName})
		return nil
	}
	if p == "" {
		return errors.New("a path is empty")
	}
	name := path.Clean(filepath.ToSlash(p))
	info, err := f.stat(name)
	if err == nil {
		return f.add(ctx, name, info)
	}
	if !errors.Is(err, fs.ErrNotExist) || !strings.ContainsAny(name, "*?[{") {
		f.findings = append(f.findings, *unreadable(name, err))
		return nil
	}
	return f.glob(ctx, name)
}

func (f *finder) stat(name string) (fs.FileInfo, error) {
	if f.opts.FS != nil {
		return fs.Stat(f.opts.FS, name)
	}
	return os.Stat(name)
}

// add adds a file that was named, or a directory's files.
func (f *finder) add(ctx context.Context, name string, info fs.FileInfo) error {
	if info.IsDir() {
		return f.directory(ctx, name)
	}
	if !info.Mode().IsRegular() && info.Mode()&(fs.ModeNamedPipe|fs.ModeCharDevice) == 0 {
		f.findings = append(f.findings, *unreadable(name, errors.New("neither a file nor a directory")))
		return nil
	}
	if !info.Mode().IsRegular() {
		info = nil
	}
	open := func() (fs.File, error) { return os.Open(name) }
	if f.opts.FS != nil {
		open = func() (fs.File, error) { return f.opts.FS.Open(name) }
	}
	f.files = append(f.files, file{name: name, open: open, info: info, template: f.isChartTemplate(name)})
	return nil
}

// excludes tells whether a pattern of Exclude covers the name. Patterns were checked before.
func (o Options) excludes(name string) bool {
	return slices.ContainsFunc(o.Exclude, func(pattern string) bool { return doublestar.MatchUnvalidated(pattern, name) })
}

// glob adds the files and directories that match a pattern.
func (f *finder) glob(ctx context.Context, pattern string) error {
	if !doublestar.ValidatePattern(pattern) {
		return fmt.Errorf("%s: not a valid pattern", pattern)
	}
	var matches []string
	var err error
	options := []doublestar.GlobOption{doublestar.WithNoFollow(), doublestar.WithNoHidden()}
	if f.opts.FS != nil {
		matches, err = doublestar.Glob(f.opts.FS, pattern, options...)
	} else {
		base, rest := doublestar.SplitPattern(pattern)
		matches, err = doublestar.Glob(os.DirFS(base), rest, options...)
		for i := range matches {
			matches[i] = path.Join(base, matches[i])
		}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", pattern, err)
	}
	added := false
	for _, match := range matches {
		if f.opts.excludes(match) || !strings.Contains(pattern, "node_modules") && strings.Contains("/"+match+"/", "/node_modules/") {
			continue
		}
		info, err := f.stat(match)
		if err != nil {
			f.findings = append(f.findings, *unreadable(match, err))
			added = true
			continue
		}
		// A pattern such as ** names directories too; what is in them, it names itself.
		if info.IsDir() && strings.Contains(pattern, "**") || !info.IsDir() && !isYAML(match) && path.Ext(pattern) != path.Ext(match) {
			continue
		}
		added = true
		if err := f.add(ctx, match, info); err != nil {
			return err
		}
	}
	if !added {
		finding := problem("schema/unreadable", pattern, 1, 1, "the pattern matches no file")
		f.findings = append(f.findings, finding)
	}
	return nil
}

func isYAML(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".yaml", ".yml", ".json":
		return true
	}
	return false
}

// isChartTemplate tells whether the file stands below the templates directory of a Helm chart.
func (f *finder) isChartTemplate(name string) bool {
	for dir := path.Dir(name); dir != "." && dir != "/" && dir != ".."; dir = path.Dir(dir) {
		if path.Base(dir) != "templates" {
			continue
		}
		if _, err := f.stat(path.Join(path.Dir(dir), "Chart.yaml")); err == nil {
			return true
		}
	}
	return false
}
