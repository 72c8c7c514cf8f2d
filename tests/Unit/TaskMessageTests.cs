using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Shouldly;
using TaskQueue.Client;
using TaskQueue.Engine.Tasks;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>The payload that workers receive, and how the .NET client reads it.</summary>
public sealed class TaskMessageTests
{
    private static readonly Guid Id = Guid.Parse("01a20000-0000-4000-8000-000000000001");

    [Theory]
    [InlineData(null, "[]", "null")]
    [InlineData("null", "[]", "null")]
    [InlineData("false", "[]", "false")]
    [InlineData("{}", "[]", "{}")]
    [InlineData("{ \n }", "[]", "{ \n }")]
    [InlineData("[]", "[]", "[]")]
    [InlineData("0", "0", "0")]
    [InlineData("\"\"", "\"\"", "\"\"")]
    [InlineData("""{ "a":1 }""", """{ "a":1 }""", """{ "a":1 }""")]
    [InlineData("123456789012345678901234567890.50", "123456789012345678901234567890.50", "123456789012345678901234567890.50")]
    public void F07_The_queue_of_the_built_in_actions_has_an_empty_list_for_no_data_whatever_a_task_comes_from(
        string? data, string tutorial, string other)
    {
        TaskMessage.Of(Id, "tasks", "1", data, DateTimeOffset.UnixEpoch).ShouldContain($"\"data\":{tutorial},");
        TaskMessage.Of(Id, "mail", "1", data, DateTimeOffset.UnixEpoch).ShouldContain($"\"data\":{other},");
    }

    [Fact]
    public void A_message_becomes_that_of_the_task_it_is_given_to_and_any_other_payload_stays()
    {
        var other = Guid.Parse("01a20000-0000-4000-8000-000000000002");
        var message = TaskMessage.Of(Id, "mail", "\"a\"", "[1]", DateTimeOffset.UnixEpoch);

        TaskMessage.For(message, Id, other).ShouldBe(TaskMessage.Of(other, "mail", "\"a\"", "[1]", DateTimeOffset.UnixEpoch));
        foreach (var payload in new[] { "", "{}", $$"""{"id":"{{Id}}"}""", $$"""{"id":"{{other}}","action":1}""", $"[{message}]" })
            TaskMessage.For(payload, Id, other).ShouldBe(payload);
    }

    [Theory]
    [InlineData("{}", true)] // a payload that was no message of the task
    [InlineData("""{"id":"01a20000-0000-4000-8000-000000000001","action":"a"}""", true)]
    [InlineData("""{"action":"\u0061","data":[],"id":"01a20000-0000-4000-8000-000000000001"}""", true)]
    [InlineData("""{"id":"01a20000-0000-4000-8000-000000000002","action":"a"}""", false)]
    [InlineData("""{"id":"01a20000-0000-4000-8000-000000000001","action":"b"}""", false)]
    [InlineData("""{"id":"01a20000-0000-4000-8000-000000000001"}""", false)]
    [InlineData("[]", false)]
    public void A_changed_message_names_the_same_task_and_action(string changed, bool isSame)
    {
        var message = changed == "{}" ? """{"id":1}""" : TaskMessage.Of(Id, "mail", "\"a\"", "1", DateTimeOffset.UnixEpoch);
        TaskMessage.NamesTheSame(changed, message, Id).ShouldBe(isSame);
    }

    [Theory]
    [InlineData("null")]
    [InlineData("[]")]
    public void F08_A_task_without_data_is_read_into_an_empty_list(string data)
    {
        var payload = TaskMessage.Of(Id, "mail", "1", data, DateTimeOffset.UnixEpoch);
        Read<List<int>>(payload).ShouldBeEmpty();
        Read<int[]>(payload).ShouldBeEmpty();
        Read<HashSet<string>>(payload).ShouldBeEmpty();
        Read<Dictionary<string, int>>(payload).ShouldBeEmpty();
    }

    private static T Read<T>(string payload) =>
        TaskPayload.Read(Id, payload, (JsonTypeInfo<T>)JsonSerializerOptions.Web.GetTypeInfo(typeof(T)));
}
