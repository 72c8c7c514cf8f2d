using System.Collections.Concurrent;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace TaskQueue.Tests.Servers;

/// <summary>A request that the server got.</summary>
/// <param name="Name">The operation, as Amazon calls it.</param>
/// <param name="Key">The key; empty for operations on a bucket.</param>
/// <param name="Part">The part number, if any.</param>
internal sealed record S3Call(string Name, string Key, int Part);

/// <summary>
/// An S3 server on a loopback port, with the calls that file contents need. It verifies each signature and the hash of each body, and holds
/// the rules of uploads in parts. Like servers other than Amazon's it knows no signed chunks and no checksums in trailers.
/// </summary>
internal sealed partial class TestS3 : IAsyncDisposable
{
    public const string Bucket = "taskqueue-files", AccessKey = "TESTS3ACCESSKEY", SecretKey = "s3-secret-4b1d-0123456789abcdef",
        Region = "eu-central-1";

    public const int MinPartBytes = 5 * 1024 * 1024;

    private readonly WebApplication _app;

    private TestS3(WebApplication app, string url) => (_app, Url) = (app, url);

    public string Url { get; }

    /// <summary>Objects by key.</summary>
    public ConcurrentDictionary<string, S3Object> Objects { get; } = new(StringComparer.Ordinal);

    /// <summary>Uploads that did not end, by id.</summary>
    public ConcurrentDictionary<string, S3Upload> Uploads { get; } = new(StringComparer.Ordinal);

    /// <summary>Requests in the order of their arrival, those with a fault too.</summary>
    public ConcurrentQueue<S3Call> Calls { get; } = new();

    /// <summary>Answers in place of the server if it returns true.</summary>
    public Func<HttpContext, S3Call, Task<bool>>? Fault { get; set; }

    /// <summary>Runs after the effect of a request; true if no answer may follow.</summary>
    public Func<HttpContext, S3Call, Task<bool>>? Lost { get; set; }

    /// <summary>The time of objects and uploads.</summary>
    public TimeProvider Time { get; set; } = TimeProvider.System;

    /// <summary>Whether ETags are no MD5, as on some servers.</summary>
    public bool HasOpaqueTags { get; set; }

    /// <summary>Whether the server lists uploads; not all do.</summary>
    public bool ListsUploads { get; set; } = true;

    /// <summary>Maximum entries of a list.</summary>
    public int PageSize { get; set; } = 1000;

    /// <summary>All stored bytes, also those of parts.</summary>
    public long Bytes => Objects.Values.Concat(Uploads.Values.SelectMany(u => u.Parts.Values)).Sum(o => (long)o.Content.Length);

    /// <summary>Settings of a server that stores its files here.</summary>
    public Dictionary<string, string?> Settings => new()
    {
        ["TaskQueue:Files:Store"] = "s3",
        ["TaskQueue:Files:S3:Bucket"] = Bucket,
        ["TaskQueue:Files:S3:Prefix"] = "q",
        ["TaskQueue:Files:S3:Region"] = Region,
        ["TaskQueue:Files:S3:Endpoint"] = Url,
        ["TaskQueue:Files:S3:AllowHttp"] = "true",
        ["TaskQueue:Files:S3:PathStyle"] = "true",
        ["TaskQueue:Files:S3:AccessKey"] = AccessKey,
        ["TaskQueue:Files:S3:SecretKey"] = SecretKey,
        ["TaskQueue:Files:S3:PartBytes"] = $"{MinPartBytes}",
        ["TaskQueue:Files:S3:Retries"] = "2",
    };

    public static async Task<TestS3> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(k =>
        {
            k.Limits.MaxRequestBodySize = null;
            k.Listen(IPAddress.Loopback, 0);
        });
        var app = builder.Build();
        TestS3? self = null;
        app.Run(context => self!.ServeAsync(context));
        await app.StartAsync();
        return self = new TestS3(app, app.Urls.First());
    }

    public async ValueTask DisposeAsync() => await _app.DisposeAsync();

    /// <summary>Every request loses its connection.</summary>
    public static Task<bool> AwayAsync(HttpContext context, S3Call call)
    {
        context.Abort();
        return Task.FromResult(true);
    }

    /// <summary>Answers with an error.</summary>
    public static async Task<bool> FailAsync(HttpContext context, int status, string code, string message)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/xml";
        if (!HttpMethods.IsHead(context.Request.Method))
            await context.Response.WriteAsync($"<Error><Code>{code}</Code><Message>{message}</Message><RequestId>1</RequestId></Error>");
        return true;
    }

    private async Task ServeAsync(HttpContext context)
    {
        var (bucket, key) = context.Request.Path.Value!.TrimStart('/').Split('/', 2) is [var first, var rest] ? (first, rest)
            : (context.Request.Path.Value.TrimStart('/'), "");
        var query = context.Request.Query;
        var call = new S3Call(NameOf(context.Request, key), key, int.TryParse(query["partNumber"], out var part) ? part : 0);
        Calls.Enqueue(call);
        if (Fault is { } fault && await fault(context, call))
            return;
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body);
        if (S3Signature.Problem(context, body.ToArray()) is var (status, code) && status > 0)
            await FailAsync(context, status, code, "The request is refused.");
        else if (bucket != Bucket)
            await FailAsync(context, 404, "NoSuchBucket", "The specified bucket does not exist");
        else
            await AnswerAsync(context, call, body.ToArray());
    }

    private static string NameOf(HttpRequest request, string key)
    {
        var query = request.Query;
        return (request.Method, key.Length > 0) switch
        {
            ("GET", false) => query.ContainsKey("uploads") ? "ListMultipartUploads" : "ListObjectsV2",
            ("GET", true) => "GetObject",
            ("HEAD", true) => "HeadObject",
            ("PUT", true) => query.ContainsKey("uploadId") ? "UploadPart" : "PutObject",
            ("POST", true) => query.ContainsKey("uploads") ? "CreateMultipartUpload" : "CompleteMultipartUpload",
            ("DELETE", true) => query.ContainsKey("uploadId") ? "AbortMultipartUpload" : "DeleteObject",
            _ => request.Method,
        };
    }
}

/// <summary>A stored object.</summary>
internal sealed record S3Object(byte[] Content, string Tag, DateTime At);

/// <summary>An upload in parts.</summary>
internal sealed record S3Upload(string Key, DateTime At)
{
    public ConcurrentDictionary<int, S3Object> Parts { get; } = new();
}
