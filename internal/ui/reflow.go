package ui

import (
	"regexp"
	"strings"
)

// itemForm matches a line of a list: a name, and what is said of it after a gap.
var itemForm = regexp.MustCompile(`^( +\S+(?: \S+)*  +)(\S.*)$`)

// typedForm matches the headings of what is to be typed.
var typedForm = regexp.MustCompile(`^(?:Usage|Examples):\n`)

// Reflow lays a help text out anew for so many columns: paragraphs, and what is said of the items of lists. Lines that
// follow each other at one indentation are one text. Below a name that is too long for the width its text begins in a
// line of its own. A command goes on in a further line as a shell takes it.
func Reflow(text string, columns int) string {
	t := &Text{Style: Style{Width: columns}}
	var head, said string
	flush := func() {
		if name := strings.TrimRight(head, " "); name != "" && len(head) > columns/2 {
			t.Line("%s", name)
			head = strings.Repeat(" ", columns/4)
		}
		if said != "" {
			t.Wrap(head, said)
		}
		head, said = "", ""
	}
	typed := false
	for line := range strings.Lines(text) {
		words := strings.TrimSpace(line)
		indent := line[:len(line)-len(strings.TrimLeft(line, " "))]
		item := itemForm.FindStringSubmatch(strings.TrimSuffix(line, "\n"))
		switch {
		case words == "" || typed || typedForm.MatchString(line):
			flush()
			t.WriteString(continued(line, columns))
			typed = words != ""
		case item != nil:
			flush()
			head, said = item[1], item[2]
		case said != "" && len(indent) == len(head):
			said += " " + words
		default:
			flush()
			head, said = indent, words
		}
	}
	flush()
	return t.String()
}

// argumentForm matches a word of a command with the space before it, the value of a flag with the flag, and all that
// what the command says is handed to.
var argumentForm = regexp.MustCompile(`\s+\|\s.*|\s*(?:-[^\s=]* (?:[^\s'"|-]|"[^"]*"|'[^']*')|[^\s'"]|"[^"]*"|'[^']*')+|.`)

// continued breaks a command that is longer than so many columns between its words, as a shell takes it.
func continued(line string, columns int) string {
	line = strings.TrimSuffix(line, "\n")
	if Columns(line) <= columns {
		return line + "\n"
	}
	const further = "    "
	var b strings.Builder
	used := 0
	for _, word := range argumentForm.FindAllString(line, -1) {
		if used > len(further) && used+Columns(word+" \\") > columns {
			b.WriteString(" \\\n")
			word = further + strings.TrimLeft(word, " ")
			used = 0
		}
		b.WriteString(word)
		used += Columns(word)
	}
	return b.String() + "\n"
}
