package location

import (
	"strings"
	"unicode"

	"github.com/lanyardctl/lanyardctl/internal/exit"
)

// quotationMarks are those that may stand around a URI by mistake.
var quotationMarks = []string{`""`, `''`, "``", "<>", "“”", "‘’"}

// Tidied returns a URI without the blanks and the quotation marks around it: they come from a file with a secret, which
// ends with a line break, from a file of variables, or from a page, and no URI begins with one. What follows the name
// of a file or of a folder stays, since it may belong to the name.
func Tidied(uri string) string {
	for {
		inner := strings.TrimLeftFunc(uri, blank)
		if !local(inner) {
			inner = strings.TrimRightFunc(inner, blank)
		}
		for _, marks := range quotationMarks {
			first, last := string([]rune(marks)[0]), string([]rune(marks)[1])
			whole := strings.TrimRightFunc(inner, blank)
			if strings.HasPrefix(whole, first) && strings.HasSuffix(whole, last) && len(whole) > len(first) {
				inner = strings.TrimSuffix(strings.TrimPrefix(whole, first), last)
			}
		}
		if inner == uri {
			return uri
		}
		uri = inner
	}
}

// blank tells whether the character is not seen: a blank, a line break, or the mark at the beginning of a file.
func blank(r rune) bool { return unicode.IsSpace(r) || r == '\ufeff' || r == '\u200b' }

func local(uri string) bool {
	scheme, _, _ := strings.Cut(strings.ToLower(uri), ":")
	return scheme == "rdb" || scheme == "embedded"
}

// checkPath fails where the path of a local URI cannot be meant.
func checkPath(at Location, path string) error {
	scheme, _, _ := strings.Cut(at.URI, ":")
	switch {
	case strings.TrimFunc(path, blank) != path:
		return exit.WrongUse(at.From+": the path after "+scheme+": begins or ends with a blank or a line break",
			"take it away; a path that really begins so has ./ before it, and a folder that really ends so / after it")
	case path == "~" || strings.HasPrefix(path, "~/"):
		return exit.WrongUse(at.From+": the shell does not replace ~ after "+scheme+":",
			"write $HOME instead of ~, or ./~ for a folder of that name")
	}
	return nil
}
