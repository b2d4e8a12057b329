package cache_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// clause is what the cache promises, and the tests that hold it to that. Names
// of other packages have their directory before them.
type clause struct {
	name  string
	tests string
}

// clauses are all of them. The tests of package cache are pure tables; those of
// package cache_test and of other directories use real clients, gateways and
// origins.
func clauses() []clause { return slices.Concat(rules(), numbered(), promises()) }

// rules are about what an answer may be reused for.
func rules() []clause {
	return []clause{
		{"the key holds everything that an answer may depend on", `
			TestKeyKeepsEveryPart TestKeyIsInjective TestKeyDiffersInEachField TestKeyNeedsEveryPart
			TestAnswersBelongToACredential TestUnkeyedFieldsChangeNothing TestUnkeyedFieldsAreNotSent TestPathsAreNotGuessed
			TestAnAccountThatChangesMeanwhile TestAnotherRuleIsAnotherKey`},
		{"authorization comes before the lookup", `../cmd/gateway.TestStoredAnswerNeedsTheRight`},
		{"what is never stored", `
			TestRFC9111_3_StoredAnswers TestRFC9111_4_1_VaryThatMatchesNothing TestRFC9112_8_IncompleteAnswers
			TestRFC9113_8_6_ResetAnswers TestATruncatedAnswer TestALargeAnswerIsStreamed TestPathsAreNotGuessed TestRulesThatForbid`},
		{"reading POSTs", `TestReadingPosts TestRFC9110_9_3_3_PostsThatRead TestBodiesWithoutAKey TestPostsAreRefreshedAsTheyWere TestCanonicalBodyOfEqualBodies TestCanonicalBodyOfDifferentBodies`},
		{"negative answers have a time of their own, errors none", `TestRFC9111_3_NegativeAnswers TestErrorsAreNotStored`},
		{"what is not stored of an answer", `
			TestRFC9111_3_1_FieldsOfOneExchange TestRFC9111_3_1_FieldsThatAreNotStored TestRFC9111_3_1_FieldsNamedByConnection
			TestNothingOfASessionIsStored`},
	}
}

// numbered are those of a correct shared cache, by their number.
func numbered() []clause {
	return []clause{
		{"1: own parsers", `
			TestRFC9111_5_2_Directives TestRFC9111_4_2_1_InvalidFreshness TestRFC9111_1_2_2_DeltaSeconds TestRFC9110_5_6_7_Dates
			TestRFC9110_5_6_7_TwoDigitYears TestRFC9111_5_1_AgeField TestRFC9111_4_2_1_LifetimesOverTheWire
			FuzzCacheControl FuzzCDNCacheControl FuzzHTTPDate FuzzAge FuzzParseRange FuzzEvaluate FuzzFreshness FuzzStorable
			FuzzSelectFields FuzzCanonicalBody FuzzDecode FuzzDecodeKey FuzzWriteEvents FuzzAncestors`},
		{"2: freshness", `
			TestRFC9111_4_2_1_LifetimesOverTheWire TestRFC9111_4_2_2_Guessed TestRFC9111_4_2_3_AgeOverTheWire
			TestRFC9213_TargetedFieldOverTheWire TestPolicyLifetimeCountsFromTheAnswer TestPolicyLifetimesDiffer
			TestRFC9111_4_2_1_Lifetime TestRFC9111_4_2_2_Heuristic TestRFC9111_4_2_3_Age TestRFC9111_4_2_3_CurrentAge
			TestRFC9111_4_2_Freshness TestRFC9213_2_1_Syntax TestRFC9213_2_2_IgnoredWhole TestRFC9213_2_2_Targeted`},
		{"3: any final status with a lifetime", `
			TestRFC9111_3_StoredAnswers TestRFC9111_3_Storing TestRFC9111_5_2_2_3_MustUnderstand TestRFC9213_2_2_Storing`},
		{"4: answers to authorized requests", `TestRFC9111_3_5_AuthorizedAnswers TestRFC9111_3_5_Authorization`},
		{"5: Vary", `
			TestRFC9111_4_1_VariantsOverTheWire TestRFC9111_4_1_VaryThatMatchesNothing TestVariantsAreBounded
			TestRFC9110_12_5_5_Vary TestRFC9111_4_1_MatchingVary TestRFC9111_4_1_NormalisedFields TestRFC9110_12_5_3_AcceptEncoding`},
		{"6: revalidation, 304 and HEAD", `
			TestRevalidation TestRFC9111_4_3_1_OurValidators TestRFC9111_4_3_3_WhatComesInstead
			TestRFC9111_4_3_3_WhatIsNotStoredReplacesToo TestRFC9111_4_3_4_FresheningBy304 TestRFC9111_4_3_5_FresheningByHEAD
			TestRFC9111_4_3_5_OutdatedForAll TestRFC9110_9_3_2_HEAD TestRFC9111_4_3_1_Conditions
			TestRFC9111_4_3_4_WhichAnswerA304IsAbout TestRFC9111_3_2_UpdatingStoredFields TestRFC9111_4_3_5_HEAD
			TestRFC9111_4_3_4_A304AboutAnother TestRFC9110_15_4_5_A304ThatNobodyAskedFor TestRFC9111_4_3_5_TimesOfAHEAD TestRFC9111_4_3_5_AHEADThatFailed`},
		{"7: the caller's conditions", `
			TestRFC9111_4_3_2_TheCallersConditions TestRFC9110_13_1_OriginConditions TestConditionsAgreeWithNetHTTP
			TestRFC9110_13_1_1_IfMatch TestRFC9110_13_1_2_IfNoneMatch TestRFC9110_13_1_3_IfModifiedSince TestRFC9110_13_1_5_IfRange
			TestRFC9110_13_2_1_ConditionsOfFailuresAreIgnored TestRFC9110_13_2_2_Precedence
			TestRFC9111_4_3_2_IfModifiedSinceWithoutLastModified TestRFC9111_4_3_2_OriginConditionsAreNotTheCaches
			TestRFC9110_15_4_5_NotModified TestRFC9110_15_5_13_PreconditionFailed`},
		{"8: ranges", `
			TestRFC9110_14_RangesFromTheStore TestRFC9110_14_2_PartsOfWhatIsStale TestRFC9110_15_3_7_2_SeveralParts
			TestRFC9111_3_3_PartsAreNotStored TestRFC9110_14_1_2_ByteRanges TestRFC9110_14_2_ManyRangesAreIgnored
			TestRFC9110_14_2_WhenRangeIsIgnored TestRFC9110_15_3_7_1_SinglePart TestRFC9110_15_3_7_2_MultipleParts
			TestRFC9110_15_5_17_RangeNotSatisfiable`},
		{"9: request directives", `
			TestRFC9111_5_2_1_RequestDirectivesOverTheWire TestRFC9111_5_2_1_5_NoStoreIsNotStored TestOnlyIfCached
			TestRFC9111_5_2_1_4_NoCacheBesideOthers TestRFC9111_5_2_1_7_PartsOfNothing
			TestNoCacheIsHeardOnceASecond TestRFC8246_ImmutableOverTheWire TestRFC9111_5_2_1_RequestDirectives
			TestRFC9111_5_2_1_Reuse TestRFC9111_5_4_Pragma TestRFC8246_2_Immutable TestRFC8246_2_1_Immutable`},
		{"10: stale answers", `
			TestStaleWhileRevalidate TestStaleIfError TestRFC5861_3_WhileRevalidateOverTheWire TestRFC5861_3_ARefreshThatFails
			TestRFC5861_3_PartsAndConditions TestRFC5861_3_ARefreshIsForAll TestRFC5861_4_IfErrorOverTheWire TestRFC5861_4_AFailureDoesNotReplace
			TestRFC9111_5_2_2_StaleIsForbidden TestRFC5861_Stale TestRFC5861_3_WhileRevalidate TestRFC5861_4_IfError`},
		{"11: writes", `
			TestWritesDrop TestAWriteMeetsAFetch TestAWriteWithoutAnAnswer TestAWriteReachesAllReplicas TestWithoutTheLog
			TestRFC9111_4_4_WhatAWriteNames TestRFC9111_4_4_TargetOfAWrite TestRFC9111_4_4_LocationOnTheSameOrigin
			TestRulesNameWhatAWriteDrops ../cmd/gateway.TestFleetCacheVersions ../cmd/gateway.TestFleetCacheForeignWriter`},
		{"12: interim answers", `
			TestRFC9110_15_2_InterimAnswers TestRFC9110_15_2_EndlessInterimAnswers ../proxy.TestInterimAnswersReachNoCaller`},
		{"13: one request is one request", `
			TestRFC9110_9_2_2_OneRequestIsOneRequest TestRFC9110_14_2_PartsOfWhatIsStale ../proxy.TestREL25ReadsAreSentOnce
			../proxy.TestREL01NoHiddenReplay`},
	}
}

// promises are about what is the gateway's own.
func promises() []clause {
	return []clause{
		{"coalescing", `
			TestOneFetchForAll TestRFC9111_4_CollapsedOnlyWhereShared TestRFC9111_4_CollapsedOnlyIfReusable TestOneFetchForTheFleet TestWhatCannotBeShared TestALargeAnswerIsStreamed
			TestALeaderThatLeavesALargeAnswer TestAPanicReleasesAll TestAPanicInsideABody TestUrgentRequestsDoNotWaitForOthers TestASlowCallerSlowsNobody`},
		{"two tiers", `
			TestMemoryStaysInBounds TestMemoryHitAllocatesNothing TestAccountedBytesOfAll TestTheTierServesOthers
			TestTheTierKnowsOfWrites TestASickTierCostsNothing redisstore.TestTierKeepsTheContract
			redisstore.TestNothingReadableLiesInRedis redisstore.TestForeignValuesAreMissesAndGo
			redisstore.TestValuesAreCompressedWhereItHelps redisstore.TestClaimsAndValuesEnd`},
		{"purge", `
			TestPurge TestDropped TestPublishReachesTheFleet redisstore.TestLogKeepsTheContract
			../cmd/gateway.TestPurgeThroughTheStack ../cmd/gateway.TestCacheCommands`},
		{"what happened can be seen", `
			TestRFC9211_2_WhatHappened TestRFC9211_2_Parameters TestStats TestSuggestedRulesOnlyCount TestCallersWithoutTheCache
			../cmd/gateway.TestCacheThroughTheStack`},
	}
}

// TestClausesHaveTests: each clause has tests that exist, at least one with real
// servers, and no test of a standard's section stands outside of the list.
func TestClausesHaveTests(t *testing.T) {
	declared, listed := map[string]string{}, map[string]bool{} // name: its package
	for _, dir := range []string{".", "redisstore", "../proxy", "../cmd/gateway"} {
		for name, in := range testsIn(t, dir) {
			if dir != "." {
				name = dir + "." + name
			}
			declared[name] = in
		}
	}
	for _, c := range clauses() {
		served := false
		for name := range strings.FieldsSeq(c.tests) {
			if declared[name] == "" {
				t.Errorf("%s: there is no test %s", c.name, name)
			}
			listed[name] = true
			served = served || declared[name] != "cache"
		}
		if !served {
			t.Errorf("%s: no test goes through real servers", c.name)
		}
	}
	for name := range declared {
		if (strings.HasPrefix(name, "TestRFC") || strings.HasPrefix(name, "Fuzz")) && !listed[name] {
			t.Errorf("%s belongs to no clause", name)
		}
	}
}

// testsIn returns the tests of a directory, with the packages that they are in.
func testsIn(t *testing.T, dir string) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no tests in %s: %v", dir, err)
	}
	tests := map[string]string{}
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if ok && fn.Recv == nil && slices.ContainsFunc([]string{"Test", "Fuzz"}, func(p string) bool { return strings.HasPrefix(fn.Name.Name, p) }) {
				tests[fn.Name.Name] = f.Name.Name
			}
		}
	}
	return tests
}
