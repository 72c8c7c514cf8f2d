using System.Text.Json;
using Shouldly;
using TaskQueue.Api.Tasks;
using TaskQueue.Api.Workers;
using TaskQueue.Engine.Tasks;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Json;
using Xunit;

namespace TaskQueue.Tests.Unit;

public sealed class RawJsonTests
{
    [Theory]
    [InlineData("""{"n":null, "e":1.50e+3, "s":"é\u00e9\/\ud83d\ude00 <&>"}""")]
    [InlineData("""{"half":"\ud800"}""")]
    [InlineData("12345678901234567890")]
    [InlineData("null")]
    [InlineData(" [ ] ")]
    public void JSON_is_written_unchanged(string text) =>
        JsonSerializer.Serialize(new { Value = new RawJson(text) }).ShouldBe($$"""{"Value":{{text}}}""");

    [Theory]
    [InlineData("")]
    [InlineData(" ")]
    [InlineData("{oops")]
    [InlineData("{} {}")]
    [InlineData("text")]
    public void Other_text_is_written_as_a_string(string text) =>
        JsonSerializer.Deserialize<Dictionary<string, string>>(JsonSerializer.Serialize(new { Value = new RawJson(text) }))!["Value"]
            .ShouldBe(text);

    [Fact]
    public void A_payload_with_half_a_surrogate_pair_is_handed_to_workers_and_shown()
    {
        var task = new TaskState { Queue = "q", State = TaskStates.Completed, Payload = """{"s":"\ud800"}""", Result = """["\udc00"]""" };

        JsonSerializer.Serialize(WorkerMapping.ToClaimed(task), WorkerJson.Instance.ClaimedTask).ShouldContain("""
            "payload":{"s":"\ud800"}
            """);
        JsonSerializer.Serialize(TaskMapping.ToDetails(task, [], Redactor.None), TaskJson.Instance.TaskDetails).ShouldContain("""
            "payload":{"s":"\ud800"},"result":["\udc00"]
            """);
    }

    [Fact]
    public void Parsing_keeps_the_text()
    {
        JsonSerializer.Deserialize<RawJson?>(""" { "a" : "\ud800" } """)!.Value.Text.ShouldBe("""{ "a" : "\ud800" }""");
        JsonSerializer.Deserialize<RawJson?>("null").ShouldBeNull();
    }
}
