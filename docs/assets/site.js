// Code and tables that scroll sideways can be reached by the keyboard.
(() => {
  const mark = () => {
    for (const element of document.querySelectorAll("pre > code, .md-typeset__scrollwrap, .md-typeset__table")) {
      if (element.scrollWidth > element.clientWidth) element.tabIndex = 0;
      else element.removeAttribute("tabindex");
    }
  };
  addEventListener("resize", mark);
  if (document.readyState === "complete") mark();
  else addEventListener("load", mark);
})();
