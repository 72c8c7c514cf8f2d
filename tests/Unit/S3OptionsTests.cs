using Shouldly;
using TaskQueue.Engine.Files;
using TaskQueue.Engine.Memory;
using TaskQueue.Storage.S3;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>Settings of the bucket that are refused before any request.</summary>
public sealed class S3OptionsTests
{
    [Fact]
    public void Complete_settings_have_no_problem()
    {
        Problem(Whole()).ShouldBeNull();
        Problem(new S3Options { Bucket = "files", Region = "eu-central-1" }).ShouldBeNull("the environment has the credentials");
        new S3Options().Problem(new FileStoreOptions { Store = FileStoreKind.Disk }).ShouldBeNull();
        Whole().Problem(new FileStoreOptions { Store = FileStoreKind.Database }).ShouldBeNull("the store was changed back");
    }

    [Fact]
    public void A_bucket_without_the_store_is_refused() =>
        Whole().Problem(new FileStoreOptions())!.ShouldContain("TaskQueue:Files:Store");

    [Fact]
    public void What_is_missing_is_named()
    {
        Refused(o => o.Bucket = null, "TaskQueue:Files:S3:Bucket");
        Refused(o => o.Endpoint = null, "TaskQueue:Files:S3:Region", "TaskQueue:Files:S3:Endpoint");
        Refused(o => o.SecretKey = null, "TaskQueue:Files:S3:SecretKey");
        Refused(o => o.AccessKey = "", "TaskQueue:Files:S3:AccessKey");
        Refused(o => (o.AccessKey, o.SecretKey, o.SessionToken) = (null, null, "t"), "TaskQueue:Files:S3:SessionToken");
    }

    [Fact]
    public void Plain_HTTP_is_refused_unless_it_is_asked_for()
    {
        Refused(o => o.Endpoint = "http://s3.example.com", "TaskQueue:Files:S3:AllowHttp");
        var asked = Whole();
        (asked.Endpoint, asked.AllowHttp) = ("http://s3.example.com", true);
        Problem(asked).ShouldBeNull();
    }

    [Theory]
    [InlineData("s3.example.com")]
    [InlineData("ftp://s3.example.com")]
    [InlineData("https://key:secret-word@s3.example.com")]
    [InlineData("https://s3.example.com/?x=1")]
    public void An_endpoint_that_is_no_plain_URL_is_refused(string endpoint)
    {
        var problem = Refused(o => o.Endpoint = endpoint, "TaskQueue:Files:S3:Endpoint");
        problem.ShouldNotContain("secret-word");
    }

    [Fact]
    public void Parts_must_be_large_enough_for_the_largest_upload()
    {
        var problem = Whole().Problem(new FileStoreOptions { Store = FileStoreKind.S3, MaxBytes = 50L << 30 });
        problem.ShouldNotBeNull().ShouldContain("TaskQueue:Files:S3:PartBytes");
        var larger = Whole();
        larger.PartBytes = int.Parse(problem!.Split(' ')[^1], System.Globalization.CultureInfo.InvariantCulture);
        larger.Problem(new FileStoreOptions { Store = FileStoreKind.S3, MaxBytes = 50L << 30 }).ShouldBeNull();
    }

    [Fact]
    public void A_part_must_fit_the_memory_for_bodies()
    {
        var files = new FileStoreOptions { Store = FileStoreKind.S3 };
        var options = Whole();
        options.Problem(files, options.PartBytes).ShouldBeNull();
        var problem = options.Problem(files, options.PartBytes - 1).ShouldNotBeNull();
        problem.ShouldContain("TaskQueue:Files:S3:PartBytes");
        problem.ShouldContain("TaskQueue:Limits:MemoryBytes");
        MemoryBudget.BodiesOf(16 << 20, null).ShouldBe(6 << 20);
    }

    [Fact]
    public void A_request_that_sends_a_content_has_more_time()
    {
        var options = Whole();
        options.TimeoutSeconds = 30;
        options.TimeoutOf(0).ShouldBe(TimeSpan.FromSeconds(30));
        options.TimeoutOf(8 * 1024 * 1024).ShouldBe(TimeSpan.FromSeconds(62));
    }

    [Theory]
    [InlineData("", "")]
    [InlineData("a", "a/")]
    [InlineData("a/b/", "a/b/")]
    public void Keys_begin_with_the_prefix_as_a_folder(string prefix, string begin) =>
        new S3Options { Prefix = prefix }.KeyPrefix.ShouldBe(begin);

    private static S3Options Whole() =>
        new() { Bucket = "files", Endpoint = "https://s3.example.com", AccessKey = "a", SecretKey = "b" };

    private static string? Problem(S3Options options) => options.Problem(new FileStoreOptions { Store = FileStoreKind.S3 });

    private static string Refused(Action<S3Options> change, params string[] words)
    {
        var options = Whole();
        change(options);
        var problem = Problem(options).ShouldNotBeNull();
        words.ShouldAllBe(word => problem.Contains(word));
        return problem;
    }
}
