using Hangfire;
using Hangfire.Client;

namespace TaskQueue.Client;

/// <summary>Runs client filters around the creation of a job, in the order and by the rules of Hangfire.</summary>
internal sealed class ClientFilters(IEnumerable<object> filters)
{
    private readonly List<IClientFilter> _filters = [.. filters.OfType<IClientFilter>()];
    private readonly List<IClientExceptionFilter> _onFault = [.. filters.OfType<IClientExceptionFilter>().Reverse()];

    /// <returns>The job; null if a filter cancelled it, or handled an exception.</returns>
    public BackgroundJob? Run(CreateContext context, Func<BackgroundJob> create)
    {
        try
        {
            return Next(0, new CreatingContext(context), create).BackgroundJob;
        }
#pragma warning disable CA1031 // filters see every exception
        catch (Exception fault)
#pragma warning restore CA1031
        {
            var failed = new ClientExceptionContext(context, fault);
            foreach (var filter in _onFault)
                filter.OnClientException(failed);
            if (!failed.ExceptionHandled)
                throw;
            return null;
        }
    }

    private CreatedContext Next(int index, CreatingContext context, Func<BackgroundJob> create)
    {
        if (index == _filters.Count)
            return new CreatedContext(context, create(), canceled: false, exception: null);
        var filter = _filters[index];
        filter.OnCreating(context);
        if (context.Canceled)
            return new CreatedContext(context, null, canceled: true, exception: null);
        CreatedContext created;
        try
        {
            created = Next(index + 1, context, create);
        }
#pragma warning disable CA1031 // filters see every exception
        catch (Exception fault)
#pragma warning restore CA1031
        {
            created = new CreatedContext(context, null, canceled: false, fault);
            filter.OnCreated(created);
            if (!created.ExceptionHandled)
                throw;
            return created;
        }

        filter.OnCreated(created);
        return created;
    }
}
