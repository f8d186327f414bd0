package archtest

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// listed is what `go list -json` says of a package.
type listed struct {
	ImportPath     string
	Dir            string
	Imports        []string
	GoFiles        []string
	IgnoredGoFiles []string
}

func list(t *testing.T) []listed {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Dir,Imports,GoFiles,IgnoredGoFiles", module+"...", module+"testdata", module+"testdata/seed", module+"testdata/dynamodb")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, &stderr)
	}
	var packages []listed
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			return packages
		}
		if err != nil {
			t.Fatal(err)
		}
		// A package of tests alone is nobody's import.
		if len(p.GoFiles) > 0 {
			packages = append(packages, p)
		}
	}
}

func TestPackagesKeepToTheirRooms(t *testing.T) {
	packages := list(t)
	if len(packages) < 5 {
		t.Fatalf("go list names %d packages only", len(packages))
	}
	for _, p := range packages {
		room, ok := roomOf(p.ImportPath)
		if !ok {
			t.Errorf("%s has no room: add it to the rooms of this test", p.ImportPath)
			continue
		}
		for _, imported := range p.Imports {
			if !room.allows(imported) {
				t.Errorf("%s imports %s", p.ImportPath, imported)
			}
		}
		if _, ok := excused[room.name]; ok {
			continue
		}
		for _, file := range slices.Concat(p.GoFiles, p.IgnoredGoFiles) {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			uses, err := forbiddenUses(filepath.Join(p.Dir, file), nil)
			if err != nil {
				t.Error(err)
			}
			for _, use := range uses {
				t.Errorf("%s/%s uses %s: that belongs to cmd", room.name, file, use)
			}
		}
	}
}

// forbiddenUses returns what the file uses of forbidden. The source may be given, as for [parser.ParseFile].
func forbiddenUses(name string, source any) ([]string, error) {
	file, err := parser.ParseFile(token.NewFileSet(), name, source, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	var uses []string
	imported := make(map[string]string) // paths by the names that the file gives them
	for _, spec := range file.Imports {
		importPath, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, err
		}
		names, known := forbidden[importPath]
		if known && names == nil {
			uses = append(uses, importPath)
		}
		local := path.Base(importPath)
		if spec.Name != nil {
			local = spec.Name.Name
		}
		imported[local] = importPath
	}
	ast.Inspect(file, func(n ast.Node) bool {
		selector, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if of, ok := selector.X.(*ast.Ident); ok && slices.Contains(forbidden[imported[of.Name]], selector.Sel.Name) {
			uses = append(uses, imported[of.Name]+"."+selector.Sel.Name)
		}
		return true
	})
	return uses, nil
}

func TestTheRulesCanBeBroken(t *testing.T) {
	for from, imported := range map[string]string{
		"record":          syncs + "/errgroup",
		"migrate":         module + "store/redis",
		"store/redis":     module + "store/mongo",
		"store/mongo":     module + "migrate",
		"store/embedded":  module + "record",
		"cmd/lanyardctl":  module + "store/storetest/ferretdb",
		"store/storetest": "",
		"nowhere":         "",
	} {
		room, ok := roomOf(module + from)
		if want := from != "nowhere"; ok != want {
			t.Errorf("%s has a room: %t", from, ok)
		}
		if imported != "" && room.allows(imported) {
			t.Errorf("%s may import %s", from, imported)
		}
	}
	uses, err := forbiddenUses("x.go", `package x
		import ("flag"; env "os"; "fmt")
		var _ = flag.Parse
		func f() { fmt.Println(env.Getenv("X")); env.Exit(1) }`)
	slices.Sort(uses)
	if want := []string{"flag", "fmt.Println", "os.Exit", "os.Getenv"}; err != nil || !slices.Equal(uses, want) {
		t.Errorf("uses %v, %v; want %v", uses, err, want)
	}
}
