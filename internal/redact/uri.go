package redact

import (
	"errors"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// hidden stands where a secret was.
const hidden = "xxxxx"

// ErrUncertain is the error of [Parse]. It repeats nothing of the text.
var ErrUncertain = errors.New("no valid URI (it is not shown: it may hold a password)")

// URI is a URI of which it is certain what is a password and what is not. Its parts are as they were written, with
// their escapes.
type URI struct {
	Scheme string // in lower case
	User   string
	Hosts  string // with their ports, and with commas between those of MongoDB
	Path   string // with its slash
	Query  string

	text    string
	secrets []span
	values  []string // of the secret parameters
}

// span is a part of a text: from the first index up to the second.
type span [2]int

// schemes are those that are shown. Any other may be a piece of a password.
var schemes = []string{
	"redis", "rediss", "unix", "mongodb", "mongodb+srv", "dynamodb", "rdb", "embedded", "file", "http", "https", "postgres", "postgresql", "mysql",
}

var (
	uriForm       = regexp.MustCompile(`^([A-Za-z0-9+.-]+)://(?:([^:@/?#\[\]]*)(:[^:@/?#\[\]]*)?@)?([^@/?#]*)(/[^@?#]*)?(\?[^@#;]*)?$`)
	hostForm      = regexp.MustCompile(`^(?:[A-Za-z0-9._-]*|\[[^\]]*\]|(?i:%2f)[^:,\[\]]*)(?::[0-9]{1,5})?$`)
	parameterForm = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*=`)
	redisPath     = regexp.MustCompile(`^/?(?:[0-9]+/?)?$`)
	secretName    = regexp.MustCompile(`(?i)pass|pwd|secret|token|credential|authmechanismproperties|api_?key`)
)

// Parse parses scheme://[user[:password]@]hosts[/path][?parameters]. It fails where the text could be read in another
// way, as where a password holds an "@" that is not escaped: a parser that reads it all the same takes pieces of the
// password for hosts or for the name of a database, and shows them.
func Parse(text string) (URI, error) {
	at := uriForm.FindStringSubmatchIndex(text)
	if at == nil || !isPlain(text) {
		return URI{}, ErrUncertain
	}
	part := func(i int) string {
		if at[2*i] < 0 {
			return ""
		}
		return text[at[2*i]:at[2*i+1]]
	}
	u := URI{
		Scheme: strings.ToLower(part(1)), User: part(2), Hosts: part(4), Path: part(5), Query: strings.TrimPrefix(part(6), "?"), text: text,
	}
	if !slices.Contains(schemes, u.Scheme) || isLocal(u.Scheme) || !u.isCertain() {
		return URI{}, ErrUncertain
	}
	switch {
	case len(part(3)) > 1:
		u.hide(at[6]+1, at[7])
	case part(3) == "" && u.User != "" && !u.isMongo():
		// A name alone is MongoDB's user, but elsewhere it is often the password without its colon.
		u.hide(at[4], at[5])
	}
	// Where the host was forgotten, what looks like a port and parameters is the password.
	hosted := !strings.HasPrefix(u.Hosts, ":") || u.Query == "" || u.isMongo()
	if !hosted {
		u.hide(at[1]-len(u.Query), at[1])
	}
	// What follows a secret parameter may belong to it, after a "&" that is not escaped.
	for from, found := at[1]-len(u.Query), !hosted; from < at[1]; {
		parameter, _, _ := strings.Cut(text[from:], "&")
		name, value, _ := strings.Cut(parameter, "=")
		if secretName.MatchString(name) {
			u.values = append(u.values, value)
			if tail := from + len(name) + 1; !found && tail < at[1] {
				u.hide(tail, at[1])
				found = true
			}
		}
		from += len(parameter) + 1
	}
	return u, nil
}

// isPlain tells whether text holds valid escapes alone, and no character that ends a URI inside a text.
func isPlain(text string) bool {
	_, err := url.PathUnescape(text)
	return err == nil && utf8.ValidString(text) &&
		!strings.ContainsFunc(text, func(r rune) bool { return r == ' ' || r == '"' || r == '\\' || !unicode.IsPrint(r) })
}

func (u *URI) hide(from, to int) { u.secrets = append(u.secrets, span{from, to}) }

func (u URI) isMongo() bool { return u.Scheme == "mongodb" || u.Scheme == "mongodb+srv" }

// isCertain tells whether the parts are what they seem.
func (u URI) isCertain() bool {
	hosts := []string{u.Hosts}
	if u.isMongo() {
		hosts = strings.Split(u.Hosts, ",")
	} else if _, err := url.Parse(u.text); err != nil {
		return false
	}
	for _, host := range hosts {
		address, isIPv6 := strings.CutPrefix(host, "[")
		address, _, _ = strings.Cut(address, "]")
		address, _ = url.PathUnescape(address) // it is valid, as the whole text is
		_, err := netip.ParseAddr(address)
		if !hostForm.MatchString(host) || isIPv6 && err != nil {
			return false
		}
	}
	for parameter := range strings.SplitSeq(u.Query, "&") {
		if u.Query != "" && !parameterForm.MatchString(parameter) {
			return false
		}
	}
	switch u.Scheme {
	case "redis", "rediss":
		return redisPath.MatchString(u.Path)
	case "mongodb", "mongodb+srv":
		return !strings.ContainsAny(u.Database(), "@:/") && (u.Query == "" || u.Path != "")
	}
	return true
}

// Database returns the path without its slash and its escapes, which in a mongodb URI is the name of a database.
func (u URI) Database() string {
	name, _ := url.PathUnescape(strings.TrimPrefix(u.Path, "/"))
	return name
}

// Redacted returns u without its secrets: the password, and the parameters from the first secret one on.
func (u URI) Redacted() string {
	text := u.text
	for _, s := range slices.Backward(u.secrets) {
		text = text[:s[0]] + hidden + text[s[1]:]
	}
	return text
}

// HasSecret tells whether something of u has to be hidden.
func (u URI) HasSecret() bool { return len(u.secrets) > 0 }

// passwords returns the secrets as they stand in u, and decoded.
func (u URI) passwords() []string {
	raw := slices.Clone(u.values)
	for _, s := range u.secrets {
		raw = append(raw, u.text[s[0]:s[1]])
	}
	all := slices.Clone(raw)
	for _, secret := range raw {
		// The text as a whole has valid escapes, so that each part has.
		inPath, _ := url.PathUnescape(secret)
		inQuery, _ := url.QueryUnescape(secret)
		all = append(all, inPath, inQuery)
	}
	return all
}

// Reason returns the text of an error of a driver that has read u, or another text where it repeats the user name or a
// piece of a secret, or of what may be one.
func (u URI) Reason(err error) string {
	const longest = 3 // of the pieces that may be shown
	text := err.Error()
	pieces := []string{u.User}
	for _, secret := range u.passwords() {
		for i := range secret {
			pieces = append(pieces, secret[i:min(i+longest, len(secret))])
		}
	}
	for _, piece := range pieces {
		if len(piece) >= longest && strings.Contains(text, piece) {
			return "the reason is not shown, as it repeats a piece of the user name or of the password"
		}
	}
	if strings.Contains(u.text, "@") {
		return text
	}
	// Here, too, the host may have been forgotten.
	for _, piece := range strings.FieldsFunc(u.Query, func(r rune) bool { return r == '&' || r == '=' }) {
		decoded, _ := url.QueryUnescape(piece) // the text as a whole has valid escapes
		if len(piece) >= longest && (strings.Contains(text, piece) || strings.Contains(text, decoded)) {
			return "a parameter of it cannot be used (which one is not shown: it may be a piece of a password)"
		}
	}
	return text
}

// Scheme returns the scheme of what may be a URI, in lower case. It is empty where the text before the colon could be
// anything else, such as a host or a piece of a password.
func Scheme(text string) string {
	scheme, rest, found := strings.Cut(text, ":")
	scheme = strings.ToLower(scheme)
	if !found || !slices.Contains(schemes, scheme) || !strings.HasPrefix(rest, "//") && !isLocal(scheme) {
		return ""
	}
	return scheme
}

// isLocal tells whether a URI of the scheme names a file or a folder, where there is no password.
func isLocal(scheme string) bool { return scheme == "rdb" || scheme == "embedded" }

// HideURI returns uri without its secrets. Of a URI that cannot be parsed with certainty it returns the scheme alone.
func HideURI(uri string) string {
	scheme := Scheme(uri)
	if isLocal(scheme) || !strings.Contains(uri, "://") {
		return uri
	}
	if u, err := Parse(uri); err == nil {
		return u.Redacted()
	}
	if scheme == "" {
		return hidden
	}
	return uri[:len(scheme)] + "://" + hidden
}
