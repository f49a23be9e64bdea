package controllers

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// What a pass was shown of Secrets is judged when it ends: what it wrote is no news, in whatever
// order it came, and everything else is.
func TestWhatAPassIsShownIsJudgedAtItsEnd(t *testing.T) {
	key := types.NamespacedName{Namespace: "team-a", Name: "bot"}
	first, second := version{"state", "7"}, version{"state", "8"}
	for sentence, given := range map[string]struct {
		shown, known []version
		hasNews      bool
	}{
		"nothing was shown":                  {known: []version{first}},
		"its own write":                      {shown: []version{first}, known: []version{first}},
		"an earlier write after a later one": {shown: []version{second, first}, known: []version{first, second}},
		"somebody else's write":              {shown: []version{first, second}, known: []version{first}, hasNews: true},
		"the same version of another Secret": {shown: []version{{"published", "7"}}, known: []version{first}, hasNews: true},
	} {
		var all passes
		all.begin(key)
		for _, v := range given.shown {
			if !all.isShown(key, &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{UID: v.uid, ResourceVersion: v.resourceVersion}}) {
				t.Errorf("%s: nobody is there to judge it", sentence)
			}
		}
		for _, v := range given.known {
			all.knows(key, v)
		}
		if got := all.end(key); got != given.hasNews {
			t.Errorf("%s: there is news: %t", sentence, got)
		}
	}
}

// Outside of a pass nobody judges later, and a Secret that is being deleted is always news.
func TestWhatNoPassCanJudgeIsNotKeptForOne(t *testing.T) {
	key := types.NamespacedName{Namespace: "team-a", Name: "bot"}
	deleted := metav1.Now()
	var all passes
	if all.isShown(key, &metav1.PartialObjectMetadata{}) {
		t.Error("it was kept for a pass that is not made")
	}
	all.begin(key)
	if all.isShown(key, &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{DeletionTimestamp: &deleted}}) {
		t.Error("a deletion was kept for later")
	}
	if all.end(key) {
		t.Error("there is news of nothing")
	}
}
