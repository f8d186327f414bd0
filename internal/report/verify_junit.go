package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/record"
)

// The elements of JUnit's report, as far as CI systems read them. Times are in seconds.
type (
	junitReport struct {
		XMLName  xml.Name `xml:"testsuites"`
		Name     string   `xml:"name,attr"`
		Tests    int      `xml:"tests,attr"`
		Failures int      `xml:"failures,attr"`
		Errors   int      `xml:"errors,attr"`
		Skipped  int      `xml:"skipped,attr"`
		Time     string   `xml:"time,attr"`
		Suites   []*junitSuite
	}
	junitSuite struct {
		XMLName    xml.Name        `xml:"testsuite"`
		Name       string          `xml:"name,attr"`
		Tests      int             `xml:"tests,attr"`
		Failures   int             `xml:"failures,attr"`
		Errors     int             `xml:"errors,attr"`
		Skipped    int             `xml:"skipped,attr"`
		Time       string          `xml:"time,attr"`
		Timestamp  string          `xml:"timestamp,attr"`
		Properties *[]junitSetting `xml:"properties>property"`
		Cases      []junitCase
	}
	junitSetting struct {
		Name  string `xml:"name,attr"`
		Value string `xml:"value,attr"`
	}
	junitCase struct {
		XMLName xml.Name     `xml:"testcase"`
		Class   string       `xml:"classname,attr"`
		Name    string       `xml:"name,attr"`
		Time    string       `xml:"time,attr"`
		Failure *junitDetail `xml:"failure"`
		Error   *junitDetail `xml:"error"`
		Skipped *junitDetail `xml:"skipped"`
	}
	junitDetail struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr,omitempty"`
		Text    string `xml:",cdata"`
	}
)

// junitNone is the time of a test case: only the run as a whole is timed.
const junitNone = "0"

// WriteJUnit writes v as JUnit's XML: a suite for the run, and one for each kind with a test case for each way to fall
// short. Rejects are skipped test cases, since they alone are no difference. Where the run failed, nothing passes: what
// found nothing until then is skipped.
func (v Verification) WriteJUnit(w io.Writer) error {
	seconds := fmt.Sprintf("%.3f", v.Report.Duration.Seconds())
	out := junitReport{Name: "lanyardctl " + v.Direction.Verify(), Time: seconds}
	run := &junitSuite{Name: "run", Time: seconds, Properties: &[]junitSetting{
		{"source", v.Source}, {"target", v.Target}, {"database", v.Database},
	}}
	out.Suites = append(out.Suites, run)
	run.add("ends", v.junitEnd())
	run.add("differences are listed", v.unlessFailed(v.junitListed()))
	run.add("values are not rejected", v.unlessFailed(v.junitReasons()))
	for _, kind := range v.Report.Only.List() {
		suite := &junitSuite{Name: kind.String(), Time: junitNone}
		out.Suites = append(out.Suites, suite)
		for _, c := range v.junitKind(kind) {
			suite.add(c.name, v.unlessFailed(c.outcome))
		}
	}
	for _, s := range out.Suites {
		s.Timestamp = v.Report.StartedAt.UTC().Format("2006-01-02T15:04:05")
		out.Tests += s.Tests
		out.Failures += s.Failures
		out.Errors += s.Errors
		out.Skipped += s.Skipped
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(out); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// add adds a test case with its outcome.
func (s *junitSuite) add(name string, c junitCase) {
	c.Class, c.Name, c.Time = "lanyardctl.verify."+s.Name, name, junitNone
	s.Tests++
	switch {
	case c.Error != nil:
		s.Errors++
	case c.Failure != nil:
		s.Failures++
	case c.Skipped != nil:
		s.Skipped++
	}
	s.Cases = append(s.Cases, c)
}

func failed(kind fmt.Stringer, message string, lines ...string) junitCase {
	return junitCase{Failure: &junitDetail{Message: message, Type: kind.String(), Text: strings.Join(lines, "\n")}}
}

func skipped(message string, lines ...string) junitCase {
	return junitCase{Skipped: &junitDetail{Message: message, Text: strings.Join(lines, "\n")}}
}

// unlessFailed returns c, skipped where it would pass and the run failed.
func (v Verification) unlessFailed(c junitCase) junitCase {
	if v.Err != nil && c == (junitCase{}) {
		return skipped("not decided, since the run failed")
	}
	return c
}

func (v Verification) junitEnd() junitCase {
	if v.Err == nil {
		return junitCase{}
	}
	text, _ := v.verdict()
	return junitCase{Error: &junitDetail{Message: text, Type: fmt.Sprintf("exit status %d", v.Exit)}}
}

// junitListed fails where some differences are not listed: then the suites of the kinds do not show them all.
func (v Verification) junitListed() junitCase {
	if more := v.unlisted(); more > 0 {
		return failed(record.Different, fmt.Sprintf("%s of %s not listed (--max-differences)", ui.Thousands(more), ui.Plural(v.Report.Total, "difference")))
	}
	return junitCase{}
}

func (v Verification) junitReasons() junitCase {
	n := v.Report.Rejects()
	if n == 0 {
		return junitCase{}
	}
	var lines []string
	for _, c := range ui.ItemsOf(v.Report.Reasons, reasonsIn(v.Direction)) {
		lines = append(lines, fmt.Sprintf("%s  %s  %s", ui.Thousands(c.N), c.Name, c.Text))
	}
	return skipped(ui.Plural(n, "value")+" rejected", lines...)
}

// namedCase is an outcome and the name of its test case.
type namedCase struct {
	name    string
	outcome junitCase
}

// junitKind returns the test cases of a kind.
func (v Verification) junitKind(kind record.Kind) []namedCase {
	c := v.Report.Kinds[kind]
	records, noun := ui.Plural(c.Source, "record"), v.Direction.TargetNoun()
	article := "a"
	if strings.ContainsAny(noun[:1], "aeiou") {
		article = "an"
	}
	missing := namedCase{name: record.Missing.String()}
	if c.Missing > 0 {
		message := fmt.Sprintf("%s of %s without "+article+" "+noun, ui.Thousands(c.Missing), records)
		if v.Report.CountsOnly {
			message = ui.Plural(c.Missing, "record") + " more than " + v.held()
		}
		missing.outcome = failed(record.Missing, message, v.lines(kind, record.Missing)...)
	}
	different := namedCase{name: record.Different.String()}
	if c.Different > 0 {
		fall := "fall"
		if c.Different == 1 {
			fall = "falls"
		}
		different.outcome = failed(record.Different, fmt.Sprintf("%s of %s %s short in the target", ui.Thousands(c.Different), records, fall), v.lines(kind, record.Different)...)
	}
	// Extra documents matter only where one is among the differences.
	extra := namedCase{name: record.Extra.String()}
	lines := v.lines(kind, record.Extra)
	if len(lines) > 0 || v.Report.CountsOnly && c.Extra > 0 && (v.Report.Exact || kind == record.APIKeys) {
		message := fmt.Sprintf("%s of %s without a record", ui.Thousands(c.Extra), ui.Plural(c.Target, noun))
		if v.Report.CountsOnly {
			message = ui.Plural(c.Extra, noun) + " more than records"
		}
		extra.outcome = failed(record.Extra, message, lines...)
	}
	rejected := namedCase{name: "rejected"}
	if c.Rejected > 0 {
		rejected.outcome = skipped(fmt.Sprintf("%s of %s cannot be written", ui.Thousands(c.Rejected), records))
	}
	if v.Report.CountsOnly {
		return []namedCase{missing, extra, rejected}
	}
	return []namedCase{missing, different, extra, rejected}
}

// lines returns the listed differences of a kind that belong to a test case: records and documents as a whole to
// missing and extra, fields to different.
func (v Verification) lines(kind record.Kind, as record.DifferenceType) []string {
	var lines []string
	for _, d := range v.Report.Differences {
		of := d.Type
		if d.HasField {
			of = record.Different
		}
		if d.Kind == kind && of == as {
			lines = append(lines, fmt.Sprintf("%s  %s  %s", d.Type, whose(d), v.where(d)))
		}
	}
	return lines
}
