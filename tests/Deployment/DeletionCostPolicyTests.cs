using System.Text.Json.Nodes;
using Shouldly;
using Xunit;

namespace TaskQueue.Tests.Deployment;

/// <summary>What the consumers' account may do to pods, evaluated with the expressions of its policy.</summary>
public sealed class DeletionCostPolicyTests
{
    private const string Pod =
        """{"metadata": {"name": "own", "labels": {"a": "b"}, "annotations": {"k": "v"}}, "spec": {"containers": [{"image": "i"}]}}""";
    private const string Account = "system:serviceaccount:taskqueue:taskqueue-consumers", OnlyMetadata = "nothing of its pod but",
        OnlyCost = "no other annotation", OnlyOwn = "no other pod", OnlyPatch = "only patch";

    [Theory]
    [InlineData("""{"annotations": {"k": "v", "controller.kubernetes.io/pod-deletion-cost": "5"}}""", null)]
    [InlineData("""{"annotations": {"k": "w"}}""", OnlyCost)]
    [InlineData("""{"annotations": {"k": "v", "l": "v"}}""", OnlyCost)]
    [InlineData("""{"annotations": {"controller.kubernetes.io/pod-deletion-cost": "5"}}""", OnlyCost)]
    [InlineData("""{"annotations": null}""", OnlyCost)]
    [InlineData("""{"labels": {"a": "c"}}""", OnlyMetadata)]
    [InlineData("""{"labels": null}""", OnlyMetadata)]
    [InlineData("""{"finalizers": ["f"]}""", OnlyMetadata)]
    [InlineData("""{"ownerReferences": [{"kind": "Node"}]}""", OnlyMetadata)]
    public async Task It_may_change_only_the_deletion_cost_of_its_own_pod(string metadata, string? refusal) =>
        ShouldBe(await AskAsync(Changed(metadata)), refusal);

    [Fact]
    public async Task The_first_cost_of_a_pod_without_annotations_is_allowed()
    {
        var before = JsonNode.Parse("""{"metadata": {"name": "own"}, "spec": {}}""")!;
        var after = before.DeepClone();
        after["metadata"]!["annotations"] = new JsonObject { ["controller.kubernetes.io/pod-deletion-cost"] = "1" };

        ShouldBe(await AskAsync(after, before: before), null);
    }

    [Fact]
    public async Task Changes_to_the_spec_or_to_other_pods_and_other_verbs_are_refused()
    {
        var image = JsonNode.Parse(Pod)!;
        image["spec"]!["containers"]![0]!["image"] = "j";
        ShouldBe(await AskAsync(image), OnlyMetadata);
        ShouldBe(await AskAsync(JsonNode.Parse(Pod), name: "another"), OnlyOwn);
        ShouldBe(await AskAsync(JsonNode.Parse(Pod), extra: "{}"), OnlyOwn);
        ShouldBe(await AskAsync(null, operation: "DELETE"), OnlyPatch);
        ShouldBe(await AskAsync(JsonNode.Parse(Pod), subResource: "ephemeralcontainers"), OnlyPatch);
    }

    [Fact]
    public async Task The_policy_applies_to_no_other_account() =>
        (await AskAsync(null, operation: "DELETE", user: "system:serviceaccount:kube-system:replicaset-controller")).ShouldBeNull();

    private static JsonNode Changed(string metadata)
    {
        var pod = JsonNode.Parse(Pod)!;
        foreach (var (name, value) in JsonNode.Parse(metadata)!.AsObject())
        {
            if (value is null)
                pod["metadata"]!.AsObject().Remove(name);
            else
                pod["metadata"]![name] = value.DeepClone();
        }

        return pod;
    }

    private static void ShouldBe(string[]? messages, string? refusal)
    {
        if (refusal is null)
            messages.ShouldBeEmpty();
        else
            messages.ShouldNotBeNull().ShouldContain(m => m.Contains(refusal, StringComparison.Ordinal));
    }

    private static async Task<string[]?> AskAsync(
        JsonNode? after, JsonNode? before = null, string name = "own", string user = Account, string operation = "UPDATE",
        string subResource = "",
        string extra = """{"authentication.kubernetes.io/pod-name": ["own"]}""")
    {
        var policy = (await Overlay.RenderAsync(Overlay.Production)).Find("ValidatingAdmissionPolicy", "taskqueue-deletion-cost");
        var request = new { userInfo = new { username = user, extra = JsonNode.Parse(extra) }, name, operation, subResource };
        return (await NodeScript.RunAsync<string[]?[]>("policy.mjs",
            new { policy, requests = new[] { new { request, @object = after, oldObject = before ?? JsonNode.Parse(Pod) } } }))[0];
    }
}
