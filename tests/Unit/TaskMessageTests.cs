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
