package mongo_test

import (
	"context"
	"errors"
	"net/url"
	"testing"
	"time"

	"github.com/lanyardctl/lanyardctl/store/mongo"
	"github.com/lanyardctl/lanyardctl/store/storetest"
	"github.com/lanyardctl/lanyardctl/store/storetest/ferretdb"
)

// behindProxy returns a database, and a store that reaches it through a proxy which can cut its connections.
func behindProxy(t *testing.T) (*fixture, *mongo.Store, *storetest.Proxy) {
	t.Helper()
	server := ferretdb.Start(t)
	u, err := url.Parse(server.URI)
	if err != nil {
		t.Fatal(err)
	}
	proxy := storetest.NewProxy(t, u.Host)
	f := newFixture(t, server.URI)
	return f, openedBehind(t, f, proxy), proxy
}

// openedBehind returns a store that reaches the database through the proxy, and is soon done with a server that is away. So may
// a busy machine's be, in which case it is opened again.
func openedBehind(t *testing.T, f *fixture, proxy *storetest.Proxy) *mongo.Store {
	t.Helper()
	o := mongo.Options{URI: "mongodb://" + proxy.Addr + "/?directConnection=true", Database: f.name, Timeout: time.Second}
	for tries := 1; ; tries++ {
		store, err := mongo.Open(t.Context(), o)
		if err == nil {
			t.Cleanup(func() { _ = store.Close(context.Background()) })
			return store
		}
		if !errors.Is(err, mongo.ErrUnreachable) || tries == 20 {
			t.Fatal(err)
		}
	}
}
