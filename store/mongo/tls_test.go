package mongo_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lanyardctl/lanyardctl/internal/handshake"
	"github.com/lanyardctl/lanyardctl/internal/redact"
	"github.com/lanyardctl/lanyardctl/store/mongo"
	"github.com/lanyardctl/lanyardctl/store/storetest/certs"
	"github.com/lanyardctl/lanyardctl/store/storetest/mongoproxy"
)

// pemOf returns the certificates in a file.
func pemOf(t *testing.T, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// keyFile writes a certificate and its key into one file, as MongoDB wants them.
func keyFile(t *testing.T, p certs.Pair) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "client.pem")
	if err := os.WriteFile(path, append(pemOf(t, p.Cert), pemOf(t, p.Key)...), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestEachFailureOfTLSHasItsReason(t *testing.T) {
	t.Parallel()
	ca, other := certs.NewCA(t, "the CA"), certs.NewCA(t, "the other CA")
	server, _, _ := shownAs(t, mongoproxy.Options{})
	here := []string{"127.0.0.1"}
	day := 24 * time.Hour
	clients := x509.NewCertPool()
	clients.AppendCertsFromPEM(pemOf(t, ca.File))
	wary := func(version uint16) *tls.Config {
		return &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients, MaxVersion: version}
	}
	good := ca.Sign(here)
	front := certs.Front(t, server.Addr, good, &tls.Config{})
	asks, asks12 := certs.Front(t, server.Addr, good, wary(0)), certs.Front(t, server.Addr, good, wary(tls.VersionTLS12))
	elsewhere := certs.Front(t, server.Addr, ca.Sign([]string{"mongo.example"}), &tls.Config{})
	expired := certs.Front(t, server.Addr, ca.Sign(here, certs.Valid(time.Now().Add(-2*day), time.Now().Add(-day))), &tls.Config{})
	early := certs.Front(t, server.Addr, ca.Sign(here, certs.Valid(time.Now().Add(day), time.Now().Add(2*day))), &tls.Config{})
	old := certs.Front(t, server.Addr, good, &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})

	known := "&tlsCAFile=" + url.QueryEscape(ca.File)
	mine := known + "&tlsCertificateKeyFile=" + url.QueryEscape(keyFile(t, ca.Sign(nil)))
	foreign := known + "&tlsCertificateKeyFile=" + url.QueryEscape(keyFile(t, other.Sign(nil)))
	for rule, c := range map[string]struct {
		addr, options, name string
		reason              error // nil where it opens
		text                string
	}{
		"the right CA":          {front, known, "", nil, ""},
		"unverified":            {expired, "&tls=true&tlsInsecure=true", "", nil, ""},
		"the system's CAs":      {front, "&tls=true", "", handshake.ErrAuthority, "signed by CN=the CA"},
		"another name":          {elsewhere, known, "", handshake.ErrName, "it is for mongo.example, and not for 127.0.0.1"},
		"that name given":       {elsewhere, known, "mongo.example", nil, ""},
		"expired":               {expired, known, "", handshake.ErrExpired, "has expired: since "},
		"not valid yet":         {early, known, "", handshake.ErrNotYetValid, "not before "},
		"a client's needed":     {asks, known, "", handshake.ErrClientMissing, "and none is given"},
		"the same with TLS 1.2": {asks12, known, "", handshake.ErrClientMissing, "and none is given"},
		"a client's given":      {asks, mine, "", nil, ""},
		"of another CA":         {asks, foreign, "", handshake.ErrClientRefused, "signed by CN=the other CA"},
		"the same, TLS 1.2":     {asks12, foreign, "", handshake.ErrClientRefused, "signed by CN=the other CA"},
		"no version in common":  {old, known, "", handshake.ErrNoCommon, ""},
		"TLS to a plain port":   {server.Addr, known, "", handshake.ErrNoTLS, ""},
		"plain to a TLS port":   {front, "", "", handshake.ErrOnlyTLS, ""},
	} {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			o := mongo.Options{
				URI: "mongodb://" + c.addr + "/?directConnection=true" + c.options, Database: "x", Timeout: 500 * time.Millisecond, ServerName: c.name,
			}
			if c.reason == nil {
				o.Timeout = 10 * time.Second
				store, err := mongo.Open(context.Background(), o)
				if err != nil {
					t.Fatal(err)
				}
				if err := store.Close(context.Background()); err != nil {
					t.Error(err)
				}
				return
			}
			var said string
			for i := range 5 {
				err := whyNot(o)
				failed, ok := errors.AsType[*mongo.TLSError](err)
				if !ok || !errors.Is(failed, c.reason) || !errors.Is(err, mongo.ErrUnreachable) {
					t.Fatalf("attempt %d: %v", i, err)
				}
				if text := err.Error(); !strings.Contains(text, c.addr+": "+c.reason.Error()) || !strings.Contains(text, c.text) || i > 0 && text != said {
					t.Fatalf("attempt %d: %v; before %s", i, err, said)
				}
				said = err.Error()
			}
		})
	}
	_, err := mongo.Open(context.Background(), mongo.Options{URI: "mongodb://127.0.0.1:1", Database: "x", ServerName: "mongo.example"})
	if !errors.Is(err, mongo.ErrURI) {
		t.Errorf("a name without TLS: %v", err)
	}
}

func TestWhatAURISaysOfTLS(t *testing.T) {
	for uri, want := range map[string][2]bool{
		"mongodb://h": {}, "mongodb://h/?tls=true": {true, false}, "mongodb://h/?SSL=true": {true, false}, "mongodb://h/?tls=false&tlsCAFile=x": {},
		"mongodb://h/?tlsCAFile=x": {true, false}, "mongodb+srv://h": {true, false}, "mongodb+srv://h/?tls=false": {},
		"mongodb://h/?tls=true&tlsInsecure=true": {true, true}, "mongodb://h/?tls=true&tlsInsecure=false": {true, false},
		"mongodb://h/?ssl=true&SSLInsecure=true": {true, true}, "mongodb://h/?tls=true&tlsAllowInvalidCertificates=true": {true, false},
	} {
		u, err := redact.Parse(uri)
		if err != nil {
			t.Fatal(err)
		}
		if on, unverified := mongo.Security(u); on != want[0] || unverified != want[1] {
			t.Errorf("%s: TLS %t, unverified %t", uri, on, unverified)
		}
	}
}
