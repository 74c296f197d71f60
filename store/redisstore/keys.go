package redisstore

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/latchkey-go/latchkey/store"
)

// shardCount is the number of shards, which users, applications, and workspaces
// are spread over. All keys of a shard have the same hash tag, so they are in
// one slot of a Redis Cluster and one script may touch several of them.
//
// The number is a compromise and can never change. A cluster balances whole
// shards, so it needs many more of them than servers. A sweep visits every
// shard, so it must be able to ask all of them within a few milliseconds.
const (
	shardBits  = 10
	shardCount = 1 << shardBits
)

// A shard is the set of keys with one hash tag.
type shard uint16

// shardOf returns the shard of everything about a user, an application, or a
// workspace.
func shardOf(text string) shard { return shard(store.UserTag(text) >> (16 - shardBits)) }

// shardOfID returns the shard of a document: that of its user, if it has one.
func shardOfID(id store.ID) shard { return shard(id.Tag() >> (16 - shardBits)) }

// shardOfCut returns the shard of a cut-off: that of the index with the
// documents that it covers.
func shardOfCut(key store.CutKey) shard {
	switch {
	case key.UserID != "":
		return shardOf(key.UserID)
	case key.ApplicationID != "":
		return shardOf(key.ApplicationID)
	case key.WorkspaceID != "":
		return shardOf(key.WorkspaceID)
	}
	return 0
}

// keys makes the names of keys. The scripts make the same names.
type keys struct{ prefix string }

func (k keys) in(sh shard, name string) string {
	return fmt.Sprintf("%s{%03x}:%s", k.prefix, uint16(sh), name)
}

// document is the key of a document.
func (k keys) document(id store.ID) string { return k.in(shardOfID(id), "d:"+string(id[:])) }

// due is the sorted set of all documents of the shard by when they may be
// swept. Like the indexes, it is sorted by its members only.
func (k keys) due(sh shard) string { return k.in(sh, "due") }

// The indexes are the sorted sets of the documents of one user, application, or
// workspace, by their kind and when they were created.
func (k keys) user(id string) string        { return k.in(shardOf(id), "u:"+id) }
func (k keys) application(id string) string { return k.in(shardOf(id), "a:"+id) }
func (k keys) workspace(id string) string   { return k.in(shardOf(id), "w:"+id) }

// cutOff is the number of a cut-off.
func (k keys) cutOff(key store.CutKey) string { return k.in(shardOfCut(key), "c:"+cutMember(key)) }

// cuts is the sorted set of the shard's cut-offs, by when a sweep should look
// at them.
func (k keys) cuts(sh shard) string { return k.in(sh, "cuts") }

// strays is the sorted set of documents of the shard that other slots may have
// unneeded entries of, by when that began. Only a cluster has it.
func (k keys) strays(sh shard) string { return k.in(sh, "strays") }

// inApplications is a key of the applications. They are in one slot, so that
// one step takes both IDs of an application.
func (k keys) inApplications(name string) string { return k.prefix + "{apps}:" + name }

// cutMember returns the key of a cut-off as one text. Each of its texts follows
// its length, so that no two keys give the same text.
func cutMember(key store.CutKey) string {
	var b strings.Builder
	for _, text := range []string{key.UserID, key.ApplicationID, key.WorkspaceID} {
		b.WriteString(strconv.Itoa(len(text)))
		b.WriteByte(':')
		b.WriteString(text)
	}
	return b.String()
}

// parseCutMember parses the result of cutMember.
func parseCutMember(member string) (key store.CutKey, err error) {
	for _, text := range []*string{&key.UserID, &key.ApplicationID, &key.WorkspaceID} {
		digits, rest, _ := strings.Cut(member, ":")
		n, err := strconv.Atoi(digits)
		if err != nil || n < 0 || n > len(rest) {
			return store.CutKey{}, errDamaged
		}
		*text, member = rest[:n], rest[n:]
	}
	return key, nil
}
