using System.Net;
using System.Security.Cryptography;
using System.Text;
using Shouldly;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>Uploads in parts.</summary>
public sealed partial class OpenAIDialectTests
{
    [Fact]
    public async Task A_large_file_is_uploaded_in_parts()
    {
        var upload = (await PostAsync("/v1/uploads", """{"filename":"in.jsonl","purpose":"batch","bytes":6,"mime_type":"x/y"}""")).Ok();
        var id = upload.GetProperty("id").GetString()!;
        upload.GetProperty("status").GetString().ShouldBe("pending");
        var (first, second) = (await AddAsync(id, "abc"), await AddAsync(id, "def"));
        (await PostAsync($"/v1/uploads/{id}/complete", $$"""{"part_ids":["{{first}}"]}""")).Status.ShouldBe(HttpStatusCode.BadRequest);
        (await PostAsync($"/v1/uploads/{id}/complete", $$"""{"part_ids":["{{first}}","{{second}}"],"md5":"0"}""")).Status
            .ShouldBe(HttpStatusCode.BadRequest);

        var body = $$"""{"part_ids":["{{second}}","{{first}}"],"md5":"{{Md5("defabc")}}"}""";
        var completed = (await PostAsync($"/v1/uploads/{id}/complete", body)).Ok();

        completed.GetProperty("status").GetString().ShouldBe("completed");
        var file = completed.GetProperty("file").GetProperty("id").GetString();
        (await server.Http.GetStringAsync(Path($"/v1/files/{file}/content"))).ShouldBe("defabc");
        (await PostAsync($"/v1/uploads/{id}/complete", body)).Ok().GetProperty("file").GetProperty("id").GetString().ShouldBe(file);
        (await ReadAsync("/v1/files")).GetRawText().ShouldNotContain("upload");
        (await PostAsync("/v1/uploads/upload_x/cancel", "")).Status.ShouldBe(HttpStatusCode.NotFound);
    }

    [Fact]
    public async Task An_upload_with_a_key_begins_once()
    {
        const string Body = """{"filename":"f","purpose":"batch","bytes":1}""";

        var first = (await PostAsync("/v1/uploads", Body, ("Idempotency-Key", "u1"))).Ok().GetProperty("id").GetString();

        (await PostAsync("/v1/uploads", Body, ("Idempotency-Key", "u1"))).Ok().GetProperty("id").GetString().ShouldBe(first);
        (await PostAsync("/v1/uploads", Body)).Ok().GetProperty("id").GetString().ShouldNotBe(first);
    }

    [Fact]
    public async Task A_cancelled_upload_takes_no_part()
    {
        var id = (await PostAsync("/v1/uploads", """{"filename":"f","purpose":"batch","bytes":1}""")).Ok().GetProperty("id").GetString();

        (await PostAsync($"/v1/uploads/{id}/cancel", "")).Ok().GetProperty("status").GetString().ShouldBe("cancelled");

        (await PostAsync($"/v1/uploads/{id}/cancel", "")).Status.ShouldBe(HttpStatusCode.NotFound);
        foreach (var wrong in new[] { """{"purpose":"batch","bytes":1}""", """{"filename":"f","purpose":"fun","bytes":1}""",
            """{"filename":"f","purpose":"batch","bytes":-1}""", """{"filename":"f","purpose":"batch"}""" })
            (await PostAsync("/v1/uploads", wrong)).Status.ShouldBe(HttpStatusCode.BadRequest, wrong);
    }

    private async Task<string> AddAsync(string upload, string text)
    {
        using var data = new ByteArrayContent(Encoding.UTF8.GetBytes(text));
        using var form = new MultipartFormDataContent { { data, "data", "part" } };
        return (await BellaServer.ReadAsync(await server.Http.PostAsync(Path($"/v1/uploads/{upload}/parts"), form))).Ok()
            .GetProperty("id").GetString()!;
    }

#pragma warning disable CA5351 // what the API compares
    private static string Md5(string text) =>
        Convert.ToHexStringLower(MD5.HashData(Encoding.UTF8.GetBytes(text)));
#pragma warning restore CA5351
}
