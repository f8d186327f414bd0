// Package redact knows what must not be shown: the passwords of URIs, and API keys. It reads URIs by one strict grammar
// ([Parse]). What the grammar does not cover is not shown, in whole or in part.
package redact

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/lanyardctl/lanyardctl/record"
)

// uriInText matches a URI inside a longer text. A quotation mark ends it, unless it is escaped. What colours it, before
// and after, is matched as well: the letter that ends a colour's escape sequence is no part of the scheme.
var uriInText = regexp.MustCompile(`(?:\x1b\[[0-9;]*m)?[A-Za-z][A-Za-z0-9+.-]*://(?:\\.|[^\s"\\])*`)

// colours matches the escape sequences of colours before and after a text.
var colours = regexp.MustCompile(`(?s)^(\x1b\[[0-9;]*m)?(.*?)(\x1b\[[0-9;]*m)?$`)

// keyInText matches API keys of both forms. Any other text of so many hexadecimal digits is hidden as well.
var keyInText = regexp.MustCompile(`(?i:lnyd_)?[0-9a-fA-F]{32,}`)

// templateWords are what stands in the place of user names and passwords where the form of a URI is shown.
const templateWords = " USER PASSWORD HOST SENTINEL PORT NAME"

// templateInText matches the form of a URI, as a hint shows it. There is no password in it.
var templateInText = regexp.MustCompile(
	`^(?:redis|mongodb)://(?:(?:USER)?:PASSWORD@)?(?:HOST|SENTINEL)(?::(?:PORT|[0-9]{1,5}))?(?:/N|/\?authSource=admin|\?master_name=NAME)?$`)

// HideText hides the passwords of URIs and the API keys anywhere in text. An API key becomes its fingerprint.
func HideText(text string) string {
	return keyInText.ReplaceAllStringFunc(HideURIs(text), record.Fingerprint)
}

// HideURIs hides the passwords of URIs anywhere in text.
func HideURIs(text string) string {
	return uriInText.ReplaceAllStringFunc(text, func(match string) string {
		painted := colours.FindStringSubmatch(match)
		uri := strings.TrimRight(painted[2], `.,:;)}>'"\`) // which belongs to the sentence
		if templateInText.MatchString(uri) {
			return match
		}
		return painted[1] + HideURI(uri) + painted[2][len(uri):] + painted[3]
	})
}

// Redactor hides secrets in text: those that can be told by their form, and those of the URIs that it was made for,
// wherever they stand.
type Redactor struct {
	known map[string]string // what stands where each secret was

	literals *strings.Replacer // of known
}

// shortestLiteral is the length below which a password is too common a text to be hidden wherever it stands.
const shortestLiteral = 4

// New returns a Redactor for a run that uses the given URIs.
func New(uris ...string) *Redactor {
	var public strings.Builder
	public.WriteString("lanyardctl migrate redis-to-mongo verify mongodb embedded error warning database timeout reading writing")
	public.WriteString(record.LanyardKinds.String() + templateWords)
	for _, uri := range uris {
		public.WriteString(" " + HideURI(uri))
	}
	known := map[string]string{}
	for _, uri := range uris {
		clean := HideURI(uri)
		if clean == uri || templateInText.MatchString(uri) {
			continue
		}
		known[uri] = clean
		known[InsideQuotes(uri)] = InsideQuotes(clean)
		u, _ := Parse(uri) // without secrets where it fails
		for _, secret := range u.passwords() {
			// A password that is an ordinary word, such as the name of the database, would only be given away by
			// hiding that word everywhere.
			if len(secret) >= shortestLiteral && !strings.Contains(public.String(), secret) {
				known[secret] = hidden
				known[InsideQuotes(secret)] = hidden
			}
		}
	}
	r := &Redactor{known: known}
	r.learn()
	return r
}

// Hiding makes r hide the secret as well, wherever it stands, and returns r. Whoever types the form of a URI as it is
// shown has no secret.
func (r *Redactor) Hiding(secret string) *Redactor {
	if len(secret) >= shortestLiteral && !templateInText.MatchString(secret) {
		r.known[secret] = hidden
		r.known[InsideQuotes(secret)] = hidden
		r.learn()
	}
	return r
}

// learn makes the replacer of all that is known.
func (r *Redactor) learn() {
	var texts []string
	for text := range r.known {
		texts = append(texts, text)
	}
	// The longest first, since a password stands inside its URI.
	slices.SortFunc(texts, func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	var pairs []string
	for _, text := range texts {
		pairs = append(pairs, text, r.known[text])
	}
	r.literals = strings.NewReplacer(pairs...)
}

// InsideQuotes returns s as it stands inside a quoted string.
func InsideQuotes(s string) string {
	quoted := strconv.Quote(s)
	return quoted[1 : len(quoted)-1]
}

// Text returns s without secrets.
func (r *Redactor) Text(s string) string { return HideText(r.literals.Replace(s)) }
