using Shouldly;
using TaskQueue.Api.OpenApi;
using TaskQueue.Engine;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>Suggestions for mistyped words, and names of operations.</summary>
public sealed class NearestTests
{
    private static readonly string[] Known = ["scheduled_at", "dedupe_key", "expires_at", "priority", "tags", "id"];

    [Theory]
    [InlineData("schedule_at", "scheduled_at")]
    [InlineData("scheduledAt", "scheduled_at")]
    [InlineData("dedup_key", "dedupe_key")]
    [InlineData("DedupeKey", "dedupe_key")]
    [InlineData("pirority", "priority")]
    [InlineData("tag", "tags")]
    [InlineData("zebra", null)]
    [InlineData("", null)]
    public void The_nearest_known_word_is_found(string word, string? nearest) => Nearest.Of(word, Known).ShouldBe(nearest);

    [Fact]
    public void Fewer_letters_may_differ_if_the_caller_says_so()
    {
        Nearest.Of("TaskQueueApp", ["TaskQueue"]).ShouldBe("TaskQueue");
        Nearest.Of("TaskQueueApp", ["TaskQueue"], most: 2).ShouldBeNull();
    }

    [Fact]
    public void A_long_word_is_not_compared() => Nearest.Of(new string('a', 100_000), Known).ShouldBeNull();

    [Theory]
    [InlineData("GET", "tasks", "listTasks")]
    [InlineData("GET", "tasks/{id}", "getTask")]
    [InlineData("POST", "workers/stopped", "postWorkersStopped")]
    [InlineData("POST", "queues/{name}/pause", "pauseQueue")]
    [InlineData("POST", "tasks/{id}/callbacks/{callback}/resend", "resendTaskCallback")]
    [InlineData("POST", "v1/batches", "createV1Batch")]
    [InlineData("POST", "moab/ListQueues", "moabListQueues")]
    [InlineData("GET", "v1/queue/{queue}/stats", "getV1QueueStats")]
    [InlineData("PUT", "queues/{queue}/schedules/{name}", "putQueueSchedule")]
    [InlineData("GET", "quota", "getQuota")]
    [InlineData("POST", "agent/process-async", "postAgentProcessAsync")]
    public void F18_An_operation_is_named_by_its_method_and_path(string method, string path, string name) =>
        OpenApiShape.NameOf(method, path).ShouldBe(name);
}
