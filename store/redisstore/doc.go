// Package redisstore keeps a provider's records in Redis or Valkey: one server,
// one behind Sentinel, or a Redis Cluster.
//
//	client := redis.NewClient(&redis.Options{Addr: "localhost:6379"})
//	kept, err := redisstore.New(client, redisstore.Options{})
//	if err == nil {
//		err = kept.Check(ctx) // says what to set, if anything
//	}
//	if err != nil {
//		log.Fatal(err)
//	}
//	p, err := provider.New(provider.Config{
//		Store: kept,
//		// ...
//	})
//
// For Sentinel, pass the client of [redis.NewFailoverClient]. For a cluster,
// pass that of [redis.NewClusterClient]: the store works differently there, so
// it must be of this type and not wrapped. A host that keeps its applications
// somewhere else, such as in its SQL database, keeps only the documents here:
//
//	Store: struct {
//		store.Applications
//		store.Documents
//	}{applications, kept},
//
// # Settings
//
// A server that forgets the last second has forgotten that a code was redeemed,
// so it can be redeemed again; that a refresh token was rotated, so its user has
// to sign in again; and that a token was revoked, so it works again. Redis
// forgets by default. To keep what it has acknowledged when its process, its
// machine, or its power fails, set
//
//	appendonly yes
//	appendfsync always
//	maxmemory-policy noeviction
//
// With "appendfsync everysec" it may lose the last second, and with snapshots
// alone the last minutes. With any policy but noeviction it throws records away
// when its memory is full. Those may be cut-offs, and then what was revoked works
// again. [Store.Check] returns an error for such a policy.
//
// With noeviction, a server whose memory is full refuses new documents and
// changes, and still ends, cuts off, finds, lists, and sweeps: users can always
// be signed out.
//
// # What a failover may lose
//
// Replication is asynchronous. What a primary has acknowledged and not passed on
// yet is lost if Sentinel or the cluster puts a replica in its place, even if it
// is on the primary's disk. WAIT and min-replicas-to-write make that rarer and
// don't rule it out. A host that can't accept it keeps its documents on one
// server that writes through and comes back, or in a SQL database.
//
// What is lost is lost whole: each step writes by one script, so no crash leaves
// half of a document. There is one exception. On a cluster, the indexes of an
// application and of a workspace are on other servers than the documents, so a
// failover may lose the entry of a document that stays. The document works, but
// isn't listed by its application or workspace; and if that is cut off later,
// the document works again once the cut-off has been swept, a day later.
//
// Restoring a backup brings back what was revoked after it was made. Afterwards
// cut off the zero [store.CutKey]: one call ends everything that was there.
//
// # Sweeping
//
// Redis removes nothing by itself: no key has an expiry. Call the provider's
// Cleanup, hourly or so, or the memory fills up. A sweep costs four round trips
// when nothing is due, and otherwise some more for each 100 records.
//
// # Round trips
//
// Each step takes one round trip, with these exceptions:
//
//   - On a cluster, Create, Find, and FindConsent take two, because the indexes
//     and the cut-offs of an application lie elsewhere than those of a user.
//   - On a cluster, a Replace that changes CreatedAt takes five.
//   - List takes two, and three on a cluster. A page examines at most 100
//     documents.
//   - ListApplications takes three where an index has the answer. A search by
//     name, and an order by name, read all applications, 100 at a time.
//
// No command or script touches more than a bounded number of records, so a user
// or an application with very many doesn't make others wait.
//
// # Where everything lies
//
// All keys begin with [Options.Prefix]. Users, applications, and workspaces are
// spread over 1024 shards by the first 10 bits of the SHA-256 of their IDs. The
// shard is the hash tag of a key, such as {2a7}, so everything about one user
// lies in one slot of a cluster.
//
//	{2a7}:d:ID       a document, whose user is of this shard
//	{2a7}:due        the shard's documents, by when they may be swept
//	{2a7}:u:USER     the documents of a user, by kind and time of creation
//	{2a7}:a:APP      those of an application of this shard
//	{2a7}:w:SPACE    those of a workspace of this shard
//	{2a7}:c:KEY      the number of a cut-off
//	{2a7}:cuts       the shard's cut-offs, by when a sweep should look at them
//	{2a7}:strays     entries of the indexes that a sweep should look at
//	{apps}:...       the applications
//
// A script learns from the document that it reads which cut-offs and indexes
// belong to it. So some of its keys are not handed to it, but on a cluster they
// are all of the same slot. While a cluster moves a slot, calls that need it
// fail, and the provider answers that it is unavailable for that moment.
//
// # A lost answer
//
// The client library sends a command again when its connection breaks. Each
// write carries a random number that the scripts keep, so a script that arrives
// twice acts once. The client may keep its MaxRetries.
//
// # Memory
//
// A grant with 250 bytes of State takes about 850 bytes with its place in the
// indexes of its user and application, and about 700 if its user has others. It
// doesn't grow when it is refreshed. A device that waits takes about 500 bytes,
// a cut-off about 200, and an application about 1,300.
//
// # Versions
//
// It needs Redis 7.0, or Valkey 7.2, because older servers don't let a script
// say that it may run when the memory is full. Redis 7.0 is tested with each
// change, alone, as a cluster of three, and behind Sentinel. "make engines" tests
// later versions of both, and clusters with replicas.
//
// Hashes of codes and tokens lie in documents, and only the provider compares
// them. IDs of documents are names of keys. They aren't secret.
package redisstore
