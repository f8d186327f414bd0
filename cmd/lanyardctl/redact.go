package main

import (
	"io"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/lanyardctl/lanyardctl/record"
)

// hidden stands where a secret was.
const hidden = "xxxxx"

// redactURI returns uri without its passwords: that of the user, and those among the parameters. It takes several hosts
// and an unescaped "@" in a password, which no parser does. Where a "@" stands so late that nobody can tell what belongs
// to a password, all but the scheme is hidden.
func redactURI(uri string) string {
	scheme, rest, ok := strings.Cut(uri, "://")
	if !ok || localScheme(scheme) {
		return uri
	}
	authority, path := cutAuthority(rest)
	if strings.Contains(path, "@") {
		return scheme + "://" + hidden
	}
	if at := strings.LastIndex(authority, "@"); at >= 0 {
		authority = redactUser(scheme, authority[:at]) + authority[at:]
	}
	return scheme + "://" + authority + secretParameter.ReplaceAllString(path, "${1}"+hidden)
}

// localScheme tells whether a URI of the scheme names a file or a folder, where there is no password.
func localScheme(scheme string) bool {
	scheme = strings.ToLower(scheme)
	return scheme == "rdb" || scheme == "embedded"
}

// cutAuthority cuts "user:password@hosts" off the path and the parameters.
func cutAuthority(rest string) (authority, path string) {
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		return rest[:i], rest[i:]
	}
	return rest, ""
}

// redactUser hides the password of "user:password". A name alone is MongoDB's user, but in a Redis URI it is often the
// password without its colon.
func redactUser(scheme, user string) string {
	name, password, ok := strings.Cut(user, ":")
	switch {
	case user == "" || ok && password == "":
		return user
	case strings.Contains(name, "@"):
		return hidden
	case ok:
		return name + ":" + hidden
	case strings.HasPrefix(strings.ToLower(scheme), "mongodb"):
		return user
	}
	return hidden
}

// secretParameter matches a parameter that holds a secret.
var secretParameter = regexp.MustCompile(
	`(?i)([^?&=]*(?:pass|pwd|secret|token|credential|authmechanismproperties|api_?key)[^?&=]*=)([^&]+)`)

// hasPassword tells whether uri holds something that has to be hidden.
func hasPassword(uri string) bool { return redactURI(uri) != uri }

// uriInText matches a URI inside a longer text. A quotation mark ends it, unless it is escaped.
var uriInText = regexp.MustCompile(`[A-Za-z][A-Za-z0-9+.-]*://(?:\\.|[^\s"\\])*`)

// keyInText matches API keys of both forms. Any other text of so many hexadecimal digits is hidden as well.
var keyInText = regexp.MustCompile(`(?i:lnyd_)?[0-9a-fA-F]{32,}`)

// redactText hides the passwords of URIs and the API keys anywhere in text. An API key becomes its fingerprint.
func redactText(text string) string {
	text = uriInText.ReplaceAllStringFunc(text, redactURI)
	return keyInText.ReplaceAllStringFunc(text, record.Fingerprint)
}

// redactor hides secrets in text: those that can be told by their form, and those of the URIs that it was made for,
// wherever they stand.
type redactor struct {
	known map[string]string // what stands where each secret was

	literals *strings.Replacer // of known
}

// shortestLiteral is the length below which a password is too common a text to be hidden wherever it stands.
const shortestLiteral = 4

// newRedactor returns a redactor for a run that uses the given URIs.
func newRedactor(uris ...string) *redactor {
	var public strings.Builder
	public.WriteString("lanyardctl migrate redis-to-mongo verify mongodb embedded error warning database timeout reading writing")
	public.WriteString(record.AllKinds.String())
	for _, uri := range uris {
		public.WriteString(" " + redactURI(uri))
	}
	known := map[string]string{}
	for _, uri := range uris {
		clean := redactURI(uri)
		if clean == uri {
			continue
		}
		known[uri] = clean
		known[insideQuotes(uri)] = insideQuotes(clean)
		for _, secret := range secretsOf(uri) {
			// A password that is an ordinary word, such as the name of the database, would only be given away by
			// hiding that word everywhere.
			if len(secret) >= shortestLiteral && !strings.Contains(public.String(), secret) {
				known[secret] = hidden
				known[insideQuotes(secret)] = hidden
			}
		}
	}
	r := &redactor{known: known}
	r.learn()
	return r
}

// hiding makes r hide the secret as well, wherever it stands, and returns r.
func (r *redactor) hiding(secret string) *redactor {
	if len(secret) >= shortestLiteral {
		r.known[secret] = hidden
		r.known[insideQuotes(secret)] = hidden
		r.learn()
	}
	return r
}

// learn makes the replacer of all that is known.
func (r *redactor) learn() {
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

// insideQuotes returns s as it stands inside a quoted string.
func insideQuotes(s string) string {
	quoted := strconv.Quote(s)
	return quoted[1 : len(quoted)-1]
}

// secretsOf returns the passwords in uri, as they stand there and decoded.
func secretsOf(uri string) []string {
	var secrets []string
	keep := func(s string) {
		secrets = append(secrets, s)
		if plain, err := url.PathUnescape(s); err == nil && plain != s {
			secrets = append(secrets, plain)
		}
	}
	_, rest, _ := strings.Cut(uri, "://")
	_, path := cutAuthority(rest)
	if at := strings.LastIndex(rest, "@"); at >= 0 {
		if _, password, ok := strings.Cut(rest[:at], ":"); ok {
			keep(password)
		} else if hasPassword(uri) {
			keep(rest[:at])
		}
	}
	for _, match := range secretParameter.FindAllStringSubmatch(path, -1) {
		keep(match[2])
	}
	return secrets
}

// text returns s without secrets.
func (r *redactor) text(s string) string { return redactText(r.literals.Replace(s)) }

// said returns s without secrets, fit for a terminal.
func (r *redactor) said(s string) string { return printable(r.text(s)) }

// err returns an error of the same identity as err whose text holds no secret and is fit for a terminal.
func (r *redactor) err(err error) error {
	if err == nil {
		return nil
	}
	return &redactedError{cause: err, text: r.said(err.Error())}
}

type redactedError struct {
	cause error
	text  string
}

func (e *redactedError) Error() string { return e.text }

func (e *redactedError) Unwrap() error { return e.cause }

// redactingWriter passes on what is written to it without secrets. Each call to Write is looked at by itself, so it
// has to be given whole lines. It may be used from several goroutines.
type redactingWriter struct {
	mu  sync.Mutex
	out io.Writer
	red *redactor
}

func (r *redactor) writer(out io.Writer) *redactingWriter {
	return &redactingWriter{out: out, red: r}
}

// Write writes p without secrets. It returns the length of p, since its caller knows of no other.
func (w *redactingWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	clean := w.red.text(string(p))
	if _, err := io.WriteString(w.out, clean); err != nil {
		return 0, err
	}
	return len(p), nil
}
