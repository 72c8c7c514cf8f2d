using System.Text;
using System.Text.Json;
using Shouldly;
using TaskQueue.Tests.Servers;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>What the tests send through the server.</summary>
public sealed partial class EncryptionTests
{
    private static async Task OverwriteAsync(HttpClient http)
    {
        var first = await http.SubmitAsync(new { action = "a", queue = "dedupe", data = "first", dedupe_key = "k" });
        var second = await http.PostAsync("/tasks",
            new { action = "a", queue = "dedupe", data = $"second {Marker}", dedupe_key = "k", overwrite = Payload });
        (second.Json.Text("status"), second.Json.Id()).ShouldBe(("updated", first));
        (await http.ClaimAsync("dedupe"))[0].GetProperty("payload").Text("data").ShouldBe($"second {Marker}");
    }

    private static async Task ScheduleAsync(HttpClient http)
    {
        (await http.PutAsync("/queues/planned", new { })).Status.ShouldBe(201);
        (await http.PutAsync("/queues/planned/schedules/s", new { cron = "0 0 1 1 *", data = new { text = Marker } })).Status.ShouldBe(201);
        (await http.PostAsync("/queues/planned/schedules/s/pause", "")).Json.GetProperty("data").Text("text").ShouldBe(Marker);
        (await http.ReadAsync("/queues/planned/schedules")).Text.ShouldContain(Marker);
        (await http.PostAsync("/queues/planned/schedules/s/run", "")).Status.ShouldBe(202);
        (await http.ClaimAsync("planned"))[0].GetProperty("payload").GetProperty("data").Text("text").ShouldBe(Marker);
    }

    /// <summary>A caller that waits for the result.</summary>
    private static async Task AnswerAsync(HttpClient http)
    {
        (await http.PostAsync("/v1/queue/register", """{"queue":"online","endpoint":"/x"}""")).Status.ShouldBe(200);
        var asked = http.PostAsync("/v1/queue/put",
            $$$"""{"queue":"online","endpoint":"/x","response_mode":"blocking","data":{"text":"{{{Marker}}}"}}""");
        JsonElement taken = default;
        await Eventually.UntilAsync(
            async () => (await http.PostAsync("/v1/queue/take",
                """{"queues":["online:0"],"size":1}""")).Json.TryGetProperty("online:0", out taken), Deadline, "the task is there");
        taken[0].GetProperty("data").Text("text").ShouldBe(Marker);
        await http.PostAsync($"/v1/queue/{taken[0].Text("task_id")}/complete", $$"""{"body":"answer {{Marker}}"}""");
        (await asked).Text.ShouldContain($"answer {Marker}");
    }

    private static async Task BatchAsync(HttpClient http)
    {
        (await http.PostAsync("/v1/queue/register", """{"queue":"b","endpoint":"/v1/chat/completions"}""")).Status.ShouldBe(200);
        var good = $$$"""{"custom_id":"c-{{{Marker}}}","method":"POST","url":"/v1/chat/completions","body":"""
            + $$$"""{"model":"b","text":"{{{Marker}}}"}}""";
        var lines = $"{good}\n{{\"custom_id\":\"bad-{Marker}\",\"body\":\"{Marker}\"}}";
        using var form = new MultipartFormDataContent { { new StringContent("batch"), "purpose" },
            { new ByteArrayContent(Encoding.UTF8.GetBytes(lines)), "file", "in.jsonl" } };
        var file = (await http.SendAsync(HttpMethod.Post, "/v1/files", (object)form)).Json.Text("id");
        (await http.ReadAsync($"/v1/files/{file}/content")).Text.ShouldBe(lines);
        var made = await http.PostAsync("/v1/batches",
            $$$"""{"input_file_id":"{{{file}}}","endpoint":"/v1/chat/completions","metadata":{"note":"{{{Marker}}}"}}""");
        var id = made.Json.Text("id");
        JsonElement taken = default;
        await Eventually.UntilAsync(
            async () => (await http.PostAsync("/v1/queue/take",
                """{"queues":["b:1"],"size":5}""")).Json.TryGetProperty("b:1", out taken), Deadline, "the line is a task");
        taken[0].GetProperty("data").Text("text").ShouldBe(Marker);
        await http.PostAsync($"/v1/queue/{taken[0].Text("task_id")}/complete", $$"""{"answer":"{{Marker}}"}""");
        Reply batch = null!;
        await Eventually.UntilAsync(
            async () => (batch = await http.ReadAsync($"/v1/batches/{id}")).Json.Text("status") == "completed",
            Deadline, "the batch completes");
        batch.Text.ShouldContain(Marker);
        (await http.ReadAsync($"/v1/files/{batch.Json.Text("output_file_id")}/content")).Text.ShouldContain($"\"answer\":\"{Marker}\"");
        (await http.ReadAsync($"/v1/files/{batch.Json.Text("error_file_id")}/content")).Text.ShouldContain($"bad-{Marker}");
    }
}
