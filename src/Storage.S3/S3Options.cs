using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;
using TaskQueue.Engine;
using TaskQueue.Engine.Files;
using TaskQueue.Engine.Memory;

namespace TaskQueue.Storage.S3;

/// <summary>Section <c>TaskQueue:Files:S3</c>: the bucket of file contents, if <c>TaskQueue:Files:Store</c> is <c>s3</c>.</summary>
public sealed class S3Options
{
    private const string Section = "TaskQueue:Files:S3";

    /// <summary>The API's minimum of all parts of an object but the last.</summary>
    internal const int MinPartBytes = 5 * 1024 * 1024;

    /// <summary>The API's maximum number of parts of an object.</summary>
    internal const int MaxParts = 10_000;

    private const int SlowestBytesPerSecond = 256 * 1024;

    /// <summary>Name of the bucket, which must exist.</summary>
    [RegularExpression("[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9]",
        ErrorMessage = $"{Section}:Bucket must be the name of a bucket: 3 to 63 letters, digits, dots and dashes")]
    public string? Bucket { get; set; }

    /// <summary>
    /// Folder of the contents in the bucket, such as <c>taskqueue/</c>. Each database needs its own: contents unknown to the database are
    /// removed.
    /// </summary>
    /// <value>Empty: the contents are at the top.</value>
    [RegularExpression("[A-Za-z0-9!_.*'()-]+(/[A-Za-z0-9!_.*'()-]+)*/?",
        ErrorMessage = $"{Section}:Prefix must be names of letters, digits and !_.*'()- with slashes between them")]
    [MaxLength(500, ErrorMessage = $"{Section}:Prefix may have at most 500 characters")]
    public string Prefix { get; set; } = "";

    /// <summary>Region of the bucket, such as <c>eu-central-1</c>; with an endpoint, the region that requests are signed for.</summary>
    /// <value>Null: <c>us-east-1</c> with an endpoint; without one it is required.</value>
    [RegularExpression("[A-Za-z0-9-]{1,64}", ErrorMessage = $"{Section}:Region must be the name of a region, such as eu-central-1")]
    public string? Region { get; set; }

    /// <summary>URL of the server, such as <c>https://s3.example.com</c>.</summary>
    /// <value>Null: Amazon's server of the region.</value>
    public string? Endpoint { get; set; }

    /// <summary>Whether the endpoint may be <c>http://</c>: file contents then cross the network unencrypted.</summary>
    public bool AllowHttp { get; set; }

    /// <summary>Whether the bucket is part of the path instead of the host name, as many servers other than Amazon's need.</summary>
    public bool PathStyle { get; set; }

    /// <summary>Access key id.</summary>
    /// <value>
    /// Null: the AWS SDK finds credentials: variables such as <c>AWS_ACCESS_KEY_ID</c>, the shared credentials file, or the role of the
    /// container, pod or machine.
    /// </value>
    public string? AccessKey { get; set; }

    /// <summary>Secret of the access key.</summary>
    public string? SecretKey { get; set; }

    /// <summary>Session token of temporary credentials.</summary>
    public string? SessionToken { get; set; }

    /// <summary>
    /// Bytes of a part: a content up to this size is sent at once, a longer one in parts, at most 10,000. Each upload may need as much
    /// memory.
    /// </summary>
    /// <value>8 MiB; 5 MiB to 256 MiB.</value>
    [Range(MinPartBytes, 256 * 1024 * 1024, ErrorMessage = $"{Section}:PartBytes must be 5242880 (5 MiB) to 268435456 (256 MiB)")]
    public int PartBytes { get; set; } = 8 * 1024 * 1024;

    /// <summary>
    /// Seconds after which a request without an answer, or a download that stands still, has failed. A request that sends a content may
    /// take a second longer for each 256 KiB.
    /// </summary>
    /// <value>30; 0.5 to 600.</value>
    [Range(0.5, 600, ErrorMessage = $"{Section}:TimeoutSeconds must be 0.5 to 600")]
    public double TimeoutSeconds { get; set; } = 30;

    /// <summary>How often a failed request is repeated, with growing pauses, before a caller gets 503.</summary>
    /// <value>3; 0 to 10.</value>
    [Range(0, 10, ErrorMessage = $"{Section}:Retries must be 0 to 10")]
    public int Retries { get; set; } = 3;

    internal TimeSpan Timeout => TimeSpan.FromSeconds(TimeoutSeconds);

    /// <summary>How long one try of a request may take that sends so many bytes.</summary>
    internal TimeSpan TimeoutOf(long bytes) => Timeout + TimeSpan.FromSeconds((double)bytes / SlowestBytesPerSecond);

    /// <summary>The prefix of all keys: empty, or ending with a slash.</summary>
    internal string KeyPrefix => Prefix.Length == 0 || Prefix.EndsWith('/') ? Prefix : Prefix + "/";

    /// <summary>What is missing or contradicts itself; null if nothing is.</summary>
    /// <param name="files">The options beside.</param>
    /// <param name="bodyBytes">Memory for the bodies of requests.</param>
    internal string? Problem(FileStoreOptions files, long bodyBytes = long.MaxValue)
    {
        if (files.Store != FileStoreKind.S3)
        {
            return Bucket is not null && files.Store == FileStoreKind.Auto
                ? $"{Section}:Bucket is set, but TaskQueue:Files:Store is auto; set it to s3" : null;
        }

        if (string.IsNullOrEmpty(Bucket))
            return $"TaskQueue:Files:Store is s3: set {Section}:Bucket";
        if (string.IsNullOrEmpty(Endpoint) && string.IsNullOrEmpty(Region))
            return $"TaskQueue:Files:Store is s3: set {Section}:Region, or {Section}:Endpoint for a server other than Amazon's";
        if (string.IsNullOrEmpty(AccessKey) != string.IsNullOrEmpty(SecretKey))
            return $"set both {Section}:AccessKey and {Section}:SecretKey, or neither";
        if (!string.IsNullOrEmpty(SessionToken) && string.IsNullOrEmpty(AccessKey))
            return $"{Section}:SessionToken belongs to {Section}:AccessKey, which is not set";
        if (Prefix.Split('/').Any(part => part is "." or ".."))
            return $"{Section}:Prefix must not contain . or .. as a name";
        if (files.MaxBytes > (long)PartBytes * (MaxParts - 1) / 2)
            return $"TaskQueue:Files:MaxBytes is {files.MaxBytes}, but a file has at most {MaxParts} parts of {Section}:PartBytes: "
                + $"set that to at least {(files.MaxBytes * 2 / (MaxParts - 1)) + 1}";
        if (PartBytes > bodyBytes)
            return $"{Section}:PartBytes is {PartBytes}, but the process has {bodyBytes} bytes of memory for the bodies of all requests: "
                + $"lower it (to {MinPartBytes} or more), or raise TaskQueue:Limits:MemoryBytes";
        return EndpointProblem();
    }

    private string? EndpointProblem() =>
        string.IsNullOrEmpty(Endpoint) ? null
        : !Uri.TryCreate(Endpoint, UriKind.Absolute, out var url) || url.Scheme is not ("http" or "https") || url.UserInfo.Length > 0
            || url.Query.Length > 0 || url.Fragment.Length > 0
            ? $"{Section}:Endpoint must be a URL such as https://s3.example.com, without credentials and query"
        : url.Scheme == "http" && !AllowHttp
            ? $"{Section}:Endpoint is http://, which does not encrypt: use https://, or set {Section}:AllowHttp"
        : null;
}

/// <summary>Checks the options with those beside them.</summary>
internal sealed class S3OptionsCheck(IOptions<FileStoreOptions> files, IOptions<MemoryOptions> memory, IOptions<EngineOptions> engine)
    : IValidateOptions<S3Options>
{
    public ValidateOptionsResult Validate(string? name, S3Options options)
    {
        try
        {
            return options.Problem(files.Value, BodyBytes()) is { } problem
                ? ValidateOptionsResult.Fail(problem) : ValidateOptionsResult.Success;
        }
        catch (OptionsValidationException)
        {
            return ValidateOptionsResult.Skip; // those beside are wrong, which is told by itself
        }
    }

    private long BodyBytes() => files.Value.Store != FileStoreKind.S3 ? long.MaxValue
        : MemoryBudget.BodiesOf(memory.Value.Total, engine.Value.MaxWaitingBytes);
}
